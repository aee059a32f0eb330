import type { RepositorySecret } from '@onevault/backup-format';
import type { CallOptions } from '@onevault/base';

/** Asks a person who may be there, without an echo; undefined where nobody can answer. */
export type AskSecret = (question: string, options?: CallOptions) => Promise<RepositorySecret | undefined>;
