import { type Clock, type Logger, Secret } from '@onevault/base';
import { RepositoryError } from '../errors.ts';
import { fileStore } from './file-store.ts';
import type { ObjectStore } from './object-store.ts';
import { credentialsFromCommand } from './s3/credentials-command.ts';
import type { S3CredentialSource } from './s3/s3-options.ts';
import { s3Store } from './s3/s3-store.ts';
import type { StoreAddress } from './store-url.ts';

export interface StoreDeps {
  /** For S3: AWS_* and ONEVAULT_S3_CREDENTIALS_COMMAND. What is found neither there nor by the command is looked for as the AWS tools do: shared files, profile, role. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly logger?: Logger;
}

/** The store at an address. What the address leaves open the environment says, as for the AWS tools. */
export function openStore(address: StoreAddress, { env, clock, logger }: StoreDeps): ObjectStore {
  if (address.kind === 'file') return fileStore(address.path);
  const { kind: _s3, ...options } = address;
  const endpoint = options.endpoint ?? set(env['AWS_ENDPOINT_URL_S3']) ?? set(env['AWS_ENDPOINT_URL']);
  const region = options.region ?? set(env['AWS_REGION']) ?? set(env['AWS_DEFAULT_REGION']);
  const caFile = options.caFile ?? set(env['AWS_CA_BUNDLE']);
  const credentials = credentialsFrom(env);
  return s3Store(
    {
      ...options,
      ...(endpoint !== undefined && { endpoint }),
      ...(region !== undefined && { region }),
      ...(caFile !== undefined && { caFile }),
      ...(credentials && { credentials }),
    },
    { clock, ...(logger && { logger }) },
  );
}

function credentialsFrom(env: StoreDeps['env']): S3CredentialSource | undefined {
  const command = set(env['ONEVAULT_S3_CREDENTIALS_COMMAND']);
  if (command !== undefined) return credentialsFromCommand(command);
  const accessKeyId = set(env['AWS_ACCESS_KEY_ID']);
  if (accessKeyId === undefined) return undefined;
  return async () => {
    const secret = set(env['AWS_SECRET_ACCESS_KEY']);
    if (secret === undefined) throw secretMissing();
    const token = set(env['AWS_SESSION_TOKEN']);
    return { accessKeyId, secretAccessKey: new Secret(secret), ...(token !== undefined && { sessionToken: new Secret(token) }) };
  };
}

function secretMissing(): RepositoryError {
  return new RepositoryError({
    code: 'REPO_CREDENTIALS_INVALID',
    message: 'AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not',
    hint: 'set both, or neither to use AWS_PROFILE or a role',
  });
}

/** An empty variable counts as not set. */
function set(value: string | undefined): string | undefined {
  return value === undefined || value === '' ? undefined : value;
}
