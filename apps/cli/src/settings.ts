import { join, resolve } from 'node:path';
import type { Writable } from 'node:stream';
import { formatStoreUrl, parseStoreUrl } from '@onevault/backup-format';
import type { WantedIdentification } from '@onevault/proxy-attach';
import { usageError } from './errors.ts';
import type { OutputOptions } from './render/output.ts';
import { resolveSecret, type SecretFlags, type SecretSource } from './secret/secret-source.ts';
import { targetEnvironment } from './store/target-environment.ts';
import { resolveTraffic, type StoreTraffic, type TrafficFlags } from './store/traffic.ts';

/** What the flags say, as commander collects them; every one may be absent. */
export interface GlobalFlags extends SecretFlags, TrafficFlags {
  readonly repo?: string;
  readonly endpoint?: string;
  readonly proxyRoot?: string;
  readonly proxyVm?: string;
  readonly bus?: string;
  readonly byDifference?: boolean;
  readonly stateDir?: string;
  readonly json?: boolean;
  readonly jsonl?: boolean;
  readonly progress?: boolean;
  readonly color?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: number;
}

/** Where the command runs; injected so that a test needs no process. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly isRoot: boolean;
  readonly stderrIsTerminal: boolean;
  readonly stdoutIsTerminal: boolean;
  /** For questions on a terminal; without it nobody is asked. */
  readonly stdin?: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly hostname?: string;
  /** For the bytes of an export. */
  readonly stdout?: Writable;
}

/** Parsed once at the edge; nothing behind it reads the environment. */
export interface Settings {
  /** Path or URL of the repository, when one was named; paths in it are absolute. */
  readonly repo: string | undefined;
  /** What opens the repository, if it is encrypted. */
  readonly secret: SecretSource | undefined;
  /** The environment as the store should see it: AWS_*, ONEVAULT_S3_CREDENTIALS_COMMAND. */
  readonly storeEnvironment: Readonly<Record<string, string | undefined>>;
  readonly traffic: StoreTraffic;
  /** The same two of the repository that a copy goes to, from ONEVAULT_TARGET_…; its place is said on the command line. */
  readonly target: Pick<Settings, 'secret' | 'storeEnvironment'>;
  /** The environment as one-client should see it: ONE_* as they are, `--endpoint` on top. */
  readonly oneEnvironment: Readonly<Record<string, string | undefined>>;
  /** Directory laid out like the proxy VM's root (sys/, dev/); `/` on a real one. */
  readonly proxyRoot: string;
  readonly proxyVm: number | undefined;
  /** How disks are plugged and recognised, where the version of OpenNebula is not to decide. */
  readonly identification: WantedIdentification;
  readonly stateDir: string;
  readonly output: OutputOptions;
}

/** Flag before environment before default. */
export function resolveSettings(flags: GlobalFlags, around: Surroundings): Settings {
  const { env, cwd } = around;
  const repo = flags.repo ?? set(env['ONEVAULT_REPO']);
  const proxyVm = flags.proxyVm ?? set(env['ONEVAULT_PROXY_VM']);
  return {
    repo: repo === undefined ? undefined : resolveRepository(repo, cwd),
    secret: resolveSecret(flags, around, 'ONEVAULT_'),
    storeEnvironment: env,
    target: { secret: resolveSecret({}, around, 'ONEVAULT_TARGET_'), storeEnvironment: targetEnvironment(env) },
    traffic: resolveTraffic(flags, around),
    oneEnvironment: flags.endpoint === undefined ? env : { ...env, ONE_XMLRPC: flags.endpoint },
    proxyRoot: resolve(cwd, flags.proxyRoot ?? set(env['ONEVAULT_PROXY_ROOT']) ?? '/'),
    proxyVm: proxyVm === undefined ? undefined : parseId(proxyVm, 'the proxy VM'),
    identification: resolveIdentification(flags, around),
    stateDir: resolve(cwd, flags.stateDir ?? set(env['ONEVAULT_STATE_DIR']) ?? defaultStateDir(around)),
    output: resolveOutput(flags, around),
  };
}

function resolveIdentification(flags: GlobalFlags, { env }: Surroundings): WantedIdentification {
  const bus = flags.bus ?? set(env['ONEVAULT_BUS']);
  if (bus !== undefined && bus !== 'vd' && bus !== 'sd') throw usageError(`'${bus}' is no bus of attached disks`, 'vd is virtio-blk, sd is virtio-scsi');
  return { bus, byDifference: flags.byDifference ?? set(env['ONEVAULT_BY_DIFFERENCE']) === '1' };
}

/** A path or URL as typed in `cwd`, with absolute paths. Throws REPO_URL_INVALID. */
function resolveRepository(typed: string, cwd: string): string {
  const address = parseStoreUrl(typed);
  if (address.kind === 'file') return resolve(cwd, address.path);
  return formatStoreUrl({ ...address, ...(address.caFile !== undefined && { caFile: resolve(cwd, address.caFile) }) });
}

function resolveOutput(flags: GlobalFlags, around: Surroundings): OutputOptions {
  if (flags.json === true && flags.jsonl === true)
    throw usageError('--json and --jsonl exclude each other', '--json prints one document at the end, --jsonl a line for every event');
  const mode = flags.jsonl === true ? 'jsonl' : flags.json === true ? 'json' : 'text';
  const quiet = flags.quiet ?? false;
  return {
    mode,
    quiet,
    verbosity: flags.verbose ?? 0,
    progress: mode === 'text' && !quiet && flags.progress !== false,
    // https://no-color.org: any value that is not empty.
    color:
      mode === 'text' &&
      flags.color !== false &&
      set(around.env['NO_COLOR']) === undefined &&
      around.env['TERM'] !== 'dumb' &&
      around.stderrIsTerminal &&
      around.stdoutIsTerminal,
  };
}

/** The journal must outlive reboots, so never /run or /tmp (XDG base directory specification: state). */
function defaultStateDir({ env, isRoot }: Surroundings): string {
  const xdg = set(env['XDG_STATE_HOME']);
  if (xdg !== undefined) return join(xdg, 'onevault');
  if (isRoot) return '/var/lib/onevault';
  const home = set(env['HOME']);
  if (home === undefined)
    throw usageError('there is no place for the journal: neither HOME nor XDG_STATE_HOME is set', 'name a directory with --state-dir or ONEVAULT_STATE_DIR');
  return join(home, '.local/state/onevault');
}

/** An empty variable counts as not set, as with the `one*` commands. */
function set(value: string | undefined): string | undefined {
  return value === undefined || value === '' ? undefined : value;
}

/** An OpenNebula id as typed. */
export function parseId(text: string, what: string): number {
  if (!/^\d{1,10}$/.test(text)) throw usageError(`${what} is named by its id, a number: '${text}'`);
  return Number(text);
}
