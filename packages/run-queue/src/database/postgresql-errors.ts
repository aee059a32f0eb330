import { errorCode } from '@onevault/base';
import pg from 'pg';
import { QueueError, type QueueErrorCode } from '../errors.ts';

interface Remedy {
  readonly code: QueueErrorCode;
  readonly what: string;
  readonly hint: string;
  readonly retryable: boolean;
}

const SIGN_IN: Remedy = {
  code: 'QUEUE_DATABASE_FORBIDDEN',
  what: 'PostgreSQL does not let us in',
  hint: 'correct user and password in DATABASE_URL, or let them in (pg_hba.conf, CREATE ROLE … LOGIN PASSWORD)',
  retryable: false,
};

/** By SQLSTATE (src/backend/utils/errcodes.txt): what a person has to do outside of onevault. */
const REMEDIES: Readonly<Record<string, Remedy>> = {
  '53100': {
    code: 'QUEUE_DATABASE_NO_SPACE',
    what: 'PostgreSQL has no space left on its disk',
    hint: 'make room where its data and its log (pg_wal) are; what waits goes on by itself',
    retryable: true,
  },
  '53300': {
    code: 'QUEUE_DATABASE_BUSY',
    what: 'PostgreSQL has no connection left for us',
    hint: 'each process of onevault takes up to 8: raise max_connections or the limit of the role or database (ALTER ROLE … CONNECTION LIMIT), or end other clients',
    retryable: true,
  },
  '42501': {
    code: 'QUEUE_DATABASE_FORBIDDEN',
    what: 'the user of DATABASE_URL may not do in PostgreSQL what onevault needs',
    hint: 'make it the owner of a database of its own: ALTER DATABASE … OWNER TO …; the schemas onevault and onevault_… must be its own, too',
    retryable: false,
  },
  '28P01': SIGN_IN,
  '28000': SIGN_IN,
  '25006': {
    code: 'QUEUE_DATABASE_READ_ONLY',
    what: 'PostgreSQL takes no changes',
    hint: 'DATABASE_URL leads to a standby, or default_transaction_read_only is on: give the address of the primary',
    retryable: true,
  },
  '3D000': {
    code: 'QUEUE_DATABASE_MISSING',
    what: 'PostgreSQL has no such database',
    hint: 'make it (CREATE DATABASE … OWNER …), or correct its name in DATABASE_URL; onevault makes its tables in it by itself',
    retryable: false,
  },
};

const AWAY: Remedy = {
  code: 'QUEUE_DATABASE_UNREACHABLE',
  what: 'the database cannot be used',
  hint: 'see that PostgreSQL runs and DATABASE_URL is right; nothing is lost: restore points are in the repository, policies and audit are files',
  retryable: true,
};

/** The oldest PostgreSQL that still gets fixes, and that all this is tried on. */
const OLDEST = 15;

/** What is between us and PostgreSQL, with what to do about it; undefined for what is about one statement. */
export function betweenUs(error: unknown): QueueError | undefined {
  const code = errorCode(error) ?? '';
  const remedy = REMEDIES[code];
  if (remedy !== undefined) return told(remedy, error);
  if (error instanceof pg.DatabaseError) {
    // 57P01 to 57P05: it goes, or comes, or has ended our session.
    const isGone = error.severity === 'FATAL' || error.severity === 'PANIC' || code.startsWith('57P');
    return isGone ? told(AWAY, error) : undefined;
  }
  if (error instanceof TypeError || error instanceof RangeError) return undefined; // of what was to be sent
  return told(error instanceof Error && error.message.startsWith('SASL') ? SIGN_IN : AWAY, error);
}

/** Whatever it is, it keeps the database from being opened. */
export function cannotBegin(error: unknown): QueueError {
  return error instanceof QueueError ? error : (betweenUs(error) ?? told(AWAY, error));
}

/** `version` as `server_version_num` says it: 150018. */
export function checkVersion(version: number): void {
  if (version >= OLDEST * 10_000) return;
  throw new QueueError({
    code: 'QUEUE_DATABASE_TOO_OLD',
    message: `the PostgreSQL of DATABASE_URL is version ${Math.floor(version / 10_000)}, and onevault needs ${OLDEST} or newer`,
    details: { version, oldest: OLDEST * 10_000 },
    hint: 'bring it to a newer version (pg_upgrade), or give another server',
  });
}

function told({ code, what, hint, retryable }: Remedy, error: unknown): QueueError {
  const why = error instanceof Error && error.message !== '' ? error.message : (errorCode(error) ?? String(error));
  return new QueueError({ code, message: `${what}: ${why}`, hint, retryable, cause: error });
}
