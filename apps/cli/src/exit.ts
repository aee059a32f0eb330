import { errorCode, isAbort, isBaseError, redact, serializeError } from '@onevault/base';
import { type Output, paint, SCHEMA_VERSION } from './render/output.ts';
import { printable } from './render/table.ts';

/** The only place that knows an exit code; docs/scripting.md says them to the world. Same numbers as restic where the meaning is the same. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  /** Finished, but a VM or disk is not protected, or something of ours is still in the cloud. */
  partial: 3,
  /** It can be done, but not as well as it should. */
  degraded: 4,
  noRepository: 10,
  locked: 11,
  wrongKey: 12,
  damage: 13,
  cloud: 20,
  /** The onevault server cannot be reached, or does not let us. */
  server: 21,
  cancelled: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const BY_CODE: Readonly<Record<string, ExitCode>> = {
  CLI_USAGE: EXIT.usage,
  CLI_REPOSITORY_UNSET: EXIT.usage,
  CLI_PLAN_FILE_INVALID: EXIT.usage,
  CLI_VM_IN_USE: EXIT.locked,
  CLI_TOKEN_UNREADABLE: EXIT.usage,
  CLI_SERVER_UNSET: EXIT.usage,
  CLI_NOT_THROUGH_SERVER: EXIT.usage,
  SERVER_REQUEST_INVALID: EXIT.usage,
  SERVER_SETTINGS_INVALID: EXIT.usage,
  // Of `onevault server` itself: what --listen and --tls-* say cannot be done here.
  SERVER_LISTEN_REFUSED: EXIT.usage,
  SERVER_NOT_FOUND: EXIT.failed,
  SERVER_DAMAGE_FOUND: EXIT.damage,
  // How a run of the server failed, not the server.
  SERVER_COMMAND_FAILED: EXIT.failed,
  SERVER_WORKER_LOST: EXIT.failed,
  SERVER_ORDER_INVALID: EXIT.failed,
  SERVER_WINDOW_ENDED: EXIT.failed,
  SERVER_DRILL_FAILED: EXIT.failed,
  FILES_PATH_INVALID: EXIT.usage,
  JOB_NAME_INVALID: EXIT.usage,
  JOB_NETWORK_INVALID: EXIT.usage,
  JOB_DRILL_REFUSED: EXIT.usage,
  JOB_OWNERSHIP_INVALID: EXIT.usage,
  JOB_DISK_UNKNOWN: EXIT.usage,
  JOB_SNAPSHOT_POLICY_INVALID: EXIT.usage,
  ONE_ARGUMENT_INVALID: EXIT.usage,
  EXPORT_RANGE_INVALID: EXIT.usage,
  EXPORT_FORMAT_INVALID: EXIT.usage,
  REPO_URL_INVALID: EXIT.usage,
  REPO_RETENTION_EMPTY: EXIT.usage,
  REPO_RETENTION_INVALID: EXIT.usage,
  REPO_TIMEZONE_UNKNOWN: EXIT.usage,
  REPO_NOT_FOUND: EXIT.noRepository,
  REPO_BUCKET_MISSING: EXIT.noRepository,
  REPO_PATH_INVALID: EXIT.noRepository,
  REPO_LOCKED: EXIT.locked,
  REPO_LOCK_LOST: EXIT.locked,
  REPO_KEY_REQUIRED: EXIT.wrongKey,
  REPO_KEY_REJECTED: EXIT.wrongKey,
  REPO_NOT_ENCRYPTED: EXIT.wrongKey,
  REPO_SECRET_INVALID: EXIT.wrongKey,
  CLI_SECRET_UNREADABLE: EXIT.wrongKey,
  REPO_KEY_INVALID: EXIT.damage,
  REPO_CONFIG_INVALID: EXIT.damage,
  REPO_OBJECT_MISSING: EXIT.damage,
  REPO_OBJECT_TRUNCATED: EXIT.damage,
  REPO_CHUNK_CORRUPT: EXIT.damage,
  REPO_CHUNK_MISSING: EXIT.damage,
  REPO_PACK_INVALID: EXIT.damage,
  REPO_INDEX_INVALID: EXIT.damage,
  REPO_PAGE_CORRUPT: EXIT.damage,
  REPO_MANIFEST_INVALID: EXIT.damage,
  REPO_VERIFY_RECORD_INVALID: EXIT.damage,
  REPO_DRILL_RECORD_INVALID: EXIT.damage,
};

const BY_PREFIX: readonly (readonly [string, ExitCode])[] = [
  ['ONE_', EXIT.cloud],
  ['API_', EXIT.server],
  ['SERVER_', EXIT.server],
];

export function exitCodeOf(error: unknown): ExitCode {
  const primary = primaryError(error);
  if (isAbort(primary)) return EXIT.cancelled;
  const code = isBaseError(primary) ? primary.code : undefined;
  return exitOfCode(code);
}

/** Of an error that is told of as data. */
export function exitOfCode(code: string | undefined): ExitCode {
  if (code === undefined) return EXIT.failed;
  return BY_CODE[code] ?? BY_PREFIX.find(([prefix]) => code.startsWith(prefix))?.[1] ?? EXIT.failed;
}

/** Clean-up failures travel with the error that made them necessary: the first is the one to tell. */
export function primaryError(error: unknown): unknown {
  return error instanceof AggregateError && error.errors.length > 0 ? primaryError(error.errors[0]) : error;
}

/** Says on stderr what was attempted, why it failed and what can be done: lines for people, one `exit_error` document for programs. */
export function reportError(output: Output, error: unknown): ExitCode {
  const exitCode = exitCodeOf(error);
  if (output.mode === 'text') for (const line of errorLines(error, output)) output.stderr.write(`${line}\n`);
  else output.stderr.write(`${JSON.stringify({ schemaVersion: SCHEMA_VERSION, type: 'exit_error', exitCode, ...flat(error) })}\n`);
  return exitCode;
}

function flat(error: unknown): object {
  const { name: _, message, code, hint, ...rest } = serializeError(primaryError(error));
  return { code: code ?? (isAbort(error) ? 'CANCELLED' : 'INTERNAL'), message, ...(hint !== undefined && { hint }), ...rest };
}

function errorLines(error: unknown, output: Output): string[] {
  const primary = primaryError(error);
  const { message, hint, code, cause } = serializeError(primary);
  if (isAbort(primary)) return [`cancelled: ${message}`];
  const lines = [`${paint('error:', 'red', output.color)} ${printable(message)}`];
  if (cause !== undefined && !message.includes(cause.message)) lines.push(`cause: ${printable(cause.message)}`);
  if (hint !== undefined) lines.push(`hint: ${printable(hint)}`);
  if (isBaseError(primary)) lines.push(`code: ${code}`);
  else lines.push(`hint: this is a defect of onevault; run again with -v -v and report what it prints`, `code: ${errorCode(primary) ?? 'INTERNAL'}`);
  if (output.verbosity >= 2) lines.push(...stacks(primary));
  return lines;
}

function stacks(error: unknown): string[] {
  const lines: string[] = [];
  for (let at = error; at instanceof Error; at = at.cause) lines.push(...(at.stack ?? String(at)).split('\n').map((line) => printable(redact(line))));
  return lines;
}
