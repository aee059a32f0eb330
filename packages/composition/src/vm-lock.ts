import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type CallOptions, type Clock, errorCode } from '@onevault/base';
import type { JournalStore } from '@onevault/orchestrator';
import { CompositionError } from './errors.ts';

export interface VmLockDeps {
  readonly stateDir: string;
  readonly journals: Pick<JournalStore, 'owner' | 'isAlive'>;
  readonly clock: Clock;
  readonly randomBytes: (length: number) => Uint8Array;
}

/** Two that begin in the same moment see each other and both step back; then they try again at different times. */
const ATTEMPTS = 4;

/**
 * One run on a VM at a time, for all processes that share this state directory. Every holder lays down an entry of its own, then looks for others:
 * nobody ever removes or replaces the entry of a living process, so there is no moment in which two hold it. Entries of dead processes are removed.
 */
export async function lockVm(deps: VmLockDeps, endpoint: URL, vmId: number, options: CallOptions = {}): Promise<AsyncDisposable> {
  const cloud = createHash('sha256').update(endpoint.href).digest('hex').slice(0, 12);
  const directory = join(deps.stateDir, 'locks', `${cloud}-vm-${vmId}`);
  for (let attempt = 1; ; attempt++) {
    options.signal?.throwIfAborted();
    const entry = await layEntry(deps, directory);
    const other = await livingOther(deps, directory, entry);
    if (other === undefined) return { [Symbol.asyncDispose]: () => rm(join(directory, entry), { force: true }) };
    await rm(join(directory, entry), { force: true });
    if (attempt === ATTEMPTS) throw vmInUse(vmId, other);
    await deps.clock.sleep(20 + ((deps.randomBytes(1)[0] ?? 0) % 128), options);
  }
}

async function layEntry(deps: VmLockDeps, directory: string): Promise<string> {
  const entry = Buffer.from(deps.randomBytes(8)).toString('hex');
  await writeEntry(directory, entry, deps.journals.owner).catch((error: unknown) => {
    throw stateDirInvalid(directory, error);
  });
  return entry;
}

/** Written under another name first: an entry without its owner would look like one of a dead process. */
async function writeEntry(directory: string, entry: string, owner: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const draft = join(directory, `.${entry}`);
  await writeFile(draft, owner, { flag: 'wx', mode: 0o600 });
  await rename(draft, join(directory, entry));
}

function stateDirInvalid(directory: string, cause: unknown): CompositionError {
  const isFull = ['ENOSPC', 'EDQUOT'].includes(errorCode(cause) ?? '');
  return new CompositionError({
    code: 'CLI_STATE_DIR_INVALID',
    message: `lock the VM in ${directory}: ${cause instanceof Error ? cause.message : String(cause)}`,
    details: { directory },
    retryable: isFull,
    hint: isFull ? 'make room in the state directory' : 'name a state directory that this user may write with --state-dir or ONEVAULT_STATE_DIR',
    cause,
  });
}

async function livingOther(deps: VmLockDeps, directory: string, own: string): Promise<string | undefined> {
  for (const name of await readdir(directory)) {
    if (name === own || name.startsWith('.')) continue;
    const path = join(directory, name);
    const owner = await readFile(path, 'utf8').catch((error: unknown) => {
      if (errorCode(error) === 'ENOENT') return undefined; // given back meanwhile
      throw error;
    });
    if (owner === undefined) continue;
    if (await deps.journals.isAlive(owner)) return owner;
    await rm(path, { force: true });
  }
  return undefined;
}

function vmInUse(vmId: number, owner: string): CompositionError {
  const [host, pid] = owner.split(' ');
  return new CompositionError({
    code: 'CLI_VM_IN_USE',
    message: `another onevault (process ${pid} on ${host}) is working on VM ${vmId}`,
    details: { vmId, owner },
    retryable: true,
    hint: 'wait until it has finished, or stop it with one SIGTERM',
  });
}
