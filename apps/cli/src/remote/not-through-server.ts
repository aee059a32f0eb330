import { CliError, usageError } from '../errors.ts';

/** A command that needs what only this machine has: its devices, its files, its journals. */
export function notThroughServer(): CliError {
  return new CliError({
    code: 'CLI_NOT_THROUGH_SERVER',
    message: 'this command cannot be done through a server',
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

/** Flags whose meaning a server does not take: refused rather than left out in silence. */
export function refuseFlags(flags: object, refused: Readonly<Record<string, string>>): void {
  const given = Object.entries(refused).filter(([name]) => {
    const value = (flags as Readonly<Record<string, unknown>>)[name];
    return value !== undefined && value !== false;
  });
  const [first] = given;
  if (first !== undefined)
    throw usageError(`${first[1]} cannot be said through a server`, 'leave it out, or run the command where the repository and the cloud are');
}
