import { CliError, usageError } from '../errors.ts';

const DEVICES = 'it uses devices of the machine it runs on';
const FILES = 'what it reads or writes lies on the machine it runs on';
const KEYS = 'keys of a repository never pass through a server';
const OPENS = 'it works on the repository itself, which a server opens for its own runs';

/** By command: why there is no form of it for a server. */
export const WHY_NOT_THROUGH_SERVER: Readonly<Record<string, string>> = {
  plan: 'a server plans with each run; vm show says what a backup of a VM would do',
  init: 'a server is given its repositories by apply, or in the web UI',
  'point show': 'point list has what a server knows of a restore point; the rest is in the repository',
  'restore-plan check': FILES,
  'restore-plan run': 'who goes through a plan must stay until its end: a server does one VM with each run',
  export: FILES,
  'files extract': `${FILES}: take files tar and unpack it`,
  'undo prune': 'a server takes ways back away by itself when their time is over',
  delta: DEVICES,
  'nbd serve': DEVICES,
  'restore-disk': DEVICES,
  'snapshot prune': 'a server prunes by its snapshot policies',
  'retention apply': 'a server applies retention by its policies',
  recover: 'a server takes back what its dead runs left, by itself',
  'repo init': 'a server is given its repositories by apply, or in the web UI',
  'repo info': OPENS,
  'repo stats': OPENS,
  'repo key list': KEYS,
  'repo key add': KEYS,
  'repo key remove': KEYS,
  'repo key change': KEYS,
  'repo key test': KEYS,
  'repo check': 'verify is the check that a server makes',
  'repo repair': OPENS,
  'repo copy': OPENS,
  'repo unlock': OPENS,
};

/** The command as it is typed, without `onevault`. */
export function notThroughServer(command: string): CliError {
  const why = WHY_NOT_THROUGH_SERVER[command];
  return new CliError({
    code: 'CLI_NOT_THROUGH_SERVER',
    message: `${command} cannot be done through a server${why === undefined ? '' : `: ${why}`}`,
    hint: 'run it where the repository and the cloud are, without --server and ONEVAULT_SERVER; docs/operate/remote.md lists what can be done through one',
  });
}

/** A command that asks a server and nobody else. */
export async function needsServer(): Promise<never> {
  throw new CliError({
    code: 'CLI_SERVER_UNSET',
    message: 'no server is named',
    hint: 'name it with --server URL or ONEVAULT_SERVER, and give a token with ONEVAULT_TOKEN',
  });
}

/** By attribute: the flag as it is typed, with its default where it has one. */
export type Refused = Readonly<Record<string, string | readonly [flag: string, usual: string]>>;

/** Of commands that begin with what died before: a server does that by itself, at any time. */
export const NOT_RECOVERING: Refused = { recover: '--no-recover' };

/** Flags whose meaning a server does not take: refused rather than left out in silence. */
export function refuseFlags(flags: object, refused: Refused): void {
  for (const [name, entry] of Object.entries(refused)) {
    const [flag, usual] = typeof entry === 'string' ? [entry, undefined] : entry;
    const value = (flags as Readonly<Record<string, unknown>>)[name];
    // commander has `recover: true` where nobody said --no-recover.
    const isGiven = flag.startsWith('--no-') ? value === false : value !== undefined && value !== false && value !== usual;
    if (isGiven) throw usageError(`${flag} cannot be said through a server`, 'leave it out, or run the command where the repository and the cloud are');
  }
}
