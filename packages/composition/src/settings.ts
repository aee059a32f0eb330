import { join, resolve } from 'node:path';
import { formatStoreUrl, parseStoreUrl } from '@onevault/backup-format';
import type { WantedIdentification } from '@onevault/proxy-attach';
import { settingError } from './errors.ts';
import { resolveSecret, type SecretFlags, type SecretSource } from './secret/secret-source.ts';
import { targetEnvironment } from './store/target-environment.ts';
import { resolveTraffic, type StoreTraffic, type TrafficFlags } from './store/traffic.ts';

/** What flags say about where things are; every one may be absent. */
export interface PlaceFlags extends SecretFlags, TrafficFlags {
  readonly repo?: string;
  readonly endpoint?: string;
  readonly proxyRoot?: string;
  readonly proxyVm?: string;
  readonly bus?: string;
  readonly byDifference?: boolean;
  readonly stateDir?: string;
}

/** Where the program runs. */
export interface Place {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly isRoot: boolean;
}

/** Parsed once at the edge; nothing behind it reads the environment. Plain data: a program that opens several repositories makes one for each. */
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
}

/** Flag before environment before default. */
export function resolveSettings(flags: PlaceFlags, place: Place): Settings {
  const { env, cwd } = place;
  const repo = flags.repo ?? set(env['ONEVAULT_REPO']);
  const proxyVm = flags.proxyVm ?? set(env['ONEVAULT_PROXY_VM']);
  return {
    repo: repo === undefined ? undefined : resolveRepository(repo, cwd),
    secret: resolveSecret(flags, place, 'ONEVAULT_'),
    storeEnvironment: env,
    target: { secret: resolveSecret({}, place, 'ONEVAULT_TARGET_'), storeEnvironment: targetEnvironment(env) },
    traffic: resolveTraffic(flags, place),
    oneEnvironment: flags.endpoint === undefined ? env : { ...env, ONE_XMLRPC: flags.endpoint },
    proxyRoot: resolve(cwd, flags.proxyRoot ?? set(env['ONEVAULT_PROXY_ROOT']) ?? '/'),
    proxyVm: proxyVm === undefined ? undefined : parseId(proxyVm, 'the proxy VM'),
    identification: resolveIdentification(flags, place),
    stateDir: resolve(cwd, flags.stateDir ?? set(env['ONEVAULT_STATE_DIR']) ?? defaultStateDir(place)),
  };
}

function resolveIdentification(flags: PlaceFlags, { env }: Place): WantedIdentification {
  const bus = flags.bus ?? set(env['ONEVAULT_BUS']);
  if (bus !== undefined && bus !== 'vd' && bus !== 'sd') throw settingError(`'${bus}' is no bus of attached disks`, 'vd is virtio-blk, sd is virtio-scsi');
  return { bus, byDifference: flags.byDifference ?? set(env['ONEVAULT_BY_DIFFERENCE']) === '1' };
}

/** A path or URL as typed in `cwd`, with absolute paths. Throws REPO_URL_INVALID. */
function resolveRepository(typed: string, cwd: string): string {
  const address = parseStoreUrl(typed);
  if (address.kind === 'file') return resolve(cwd, address.path);
  return formatStoreUrl({ ...address, ...(address.caFile !== undefined && { caFile: resolve(cwd, address.caFile) }) });
}

/** The journal must outlive reboots, so never /run or /tmp (XDG base directory specification: state). */
function defaultStateDir({ env, isRoot }: Place): string {
  const xdg = set(env['XDG_STATE_HOME']);
  if (xdg !== undefined) return join(xdg, 'onevault');
  if (isRoot) return '/var/lib/onevault';
  const home = set(env['HOME']);
  if (home === undefined)
    throw settingError('there is no place for the journal: neither HOME nor XDG_STATE_HOME is set', 'name a directory with --state-dir or ONEVAULT_STATE_DIR');
  return join(home, '.local/state/onevault');
}

/** An empty variable counts as not set, as with the `one*` commands. */
function set(value: string | undefined): string | undefined {
  return value === undefined || value === '' ? undefined : value;
}

/** An OpenNebula id as typed. */
export function parseId(text: string, what: string): number {
  if (!/^\d{1,10}$/.test(text)) throw settingError(`${what} is named by its id, a number: '${text}'`);
  return Number(text);
}
