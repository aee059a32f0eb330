import type { Clock, Logger, Secret } from '@onevault/base';

export interface S3StoreOptions {
  readonly bucket: string;
  /** Where in the bucket the repository lies, parts joined by `/`; empty for the bucket itself. */
  readonly prefix?: string;
  /** `https://host[:port]` of a server other than AWS. */
  readonly endpoint?: string;
  /** `us-east-1` unless named; servers other than AWS mostly take any. */
  readonly region?: string;
  /** The bucket in the path instead of the host name; by default with an `endpoint`, as hardly any of these servers has a name for every bucket. */
  readonly pathStyle?: boolean;
  /** PEM file with certificates to trust beside the usual ones. */
  readonly caFile?: string;
  /** Retention for what a repository cannot do without; needs a bucket made with Object Lock. */
  readonly lock?: S3ObjectLock;
  /** Asked when credentials are needed and again before they expire; by default what the AWS tools find: environment, shared files and profile, role of the machine. */
  readonly credentials?: S3CredentialSource;
  /** A connection that moves nothing for so long is given up; 60 s. */
  readonly idleTimeoutMs?: number;
}

export interface S3ObjectLock {
  readonly days: number;
  /** `compliance` nobody can shorten, `governance` those with a special right can. */
  readonly mode: 'governance' | 'compliance';
}

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: Secret;
  readonly sessionToken?: Secret;
  readonly expiration?: Date;
}

export type S3CredentialSource = () => Promise<S3Credentials>;

export interface S3StoreDeps {
  readonly clock: Clock;
  /** Names of probes and marks of writers, and the jitter of retries; the system's generator unless a test wants to repeat itself. */
  readonly randomBytes?: (length: number) => Uint8Array;
  readonly logger?: Logger;
}
