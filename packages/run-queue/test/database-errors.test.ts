import { inspect } from 'node:util';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { surroundings } from '../src/database/embedded-errors.ts';
import { Death } from '../src/database/mortal-pglite.ts';
import { betweenUs, checkVersion } from '../src/database/postgresql-errors.ts';

function said(code: string, severity = 'ERROR', message = 'what PostgreSQL says'): pg.DatabaseError {
  return Object.assign(new pg.DatabaseError(message, 0, 'error'), { code, severity });
}
function system(code: string): Error {
  return Object.assign(new Error(`connect ${code} 127.0.0.1:5432`), { code });
}

describe('what keeps us from PostgreSQL has a code, what it said, and a remedy', () => {
  it.each([
    ['its disk is full', said('53100'), 'QUEUE_DATABASE_NO_SPACE', true],
    ['too many connections', said('53300', 'FATAL'), 'QUEUE_DATABASE_BUSY', true],
    ['no right to make a schema', said('42501'), 'QUEUE_DATABASE_FORBIDDEN', false],
    ['a wrong password', said('28P01', 'FATAL'), 'QUEUE_DATABASE_FORBIDDEN', false],
    ['nobody of this name', said('28000', 'FATAL'), 'QUEUE_DATABASE_FORBIDDEN', false],
    ['no password where one is asked for', new Error('SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string'), 'QUEUE_DATABASE_FORBIDDEN', false],
    ['a standby', said('25006'), 'QUEUE_DATABASE_READ_ONLY', true],
    ['no such database', said('3D000', 'FATAL'), 'QUEUE_DATABASE_MISSING', false],
    ['it starts', said('57P03', 'FATAL'), 'QUEUE_DATABASE_UNREACHABLE', true],
    ['it ends', said('57P01', 'FATAL'), 'QUEUE_DATABASE_UNREACHABLE', true],
    ['another end of it', said('XX000', 'PANIC'), 'QUEUE_DATABASE_UNREACHABLE', true],
    ['it does not listen', system('ECONNREFUSED'), 'QUEUE_DATABASE_UNREACHABLE', true],
    ['several addresses, none of which listens', new AggregateError([system('ECONNREFUSED')]), 'QUEUE_DATABASE_UNREACHABLE', true],
    ['no such host', system('ENOTFOUND'), 'QUEUE_DATABASE_UNREACHABLE', true],
    ['it hangs up', new Error('Connection terminated unexpectedly'), 'QUEUE_DATABASE_UNREACHABLE', true],
    ['it is silent', new Error('Query read timeout'), 'QUEUE_DATABASE_UNREACHABLE', true],
  ])('%s', (_, error, code, retryable) => {
    const told = betweenUs(error);
    expect(told).toMatchObject({ code, retryable, hint: expect.stringMatching(/\w{3}/), cause: error });
    expect(told?.message).toMatch(/: \S/);
  });

  it('and what is wrong with one statement has none', () => {
    for (const error of [said('23505'), said('40001'), said('42P01'), said('22P05'), new TypeError('Do not know how to serialize a BigInt')])
      expect(betweenUs(error), inspect(error)).toBeUndefined();
  });

  it('a PostgreSQL before version 15 is refused with its version', () => {
    expect(() => checkVersion(140_012)).toThrow(expect.objectContaining({ code: 'QUEUE_DATABASE_TOO_OLD', message: expect.stringContaining('version 14') }));
    checkVersion(150_000);
    checkVersion(180_006);
  });
});

describe('what the machine does to the embedded database has a code, its directory, and a remedy', () => {
  const wasi = (errno: number) => Object.assign(Object.create({ name: 'ErrnoError' }), { errno }) as object;
  const death = (line: string) => new Death(`2026-11-28 10:13:17.535 UTC [42] ${line}`, new Error('Aborted()'));
  it.each([
    ['no space, by Node', system('ENOSPC'), 'QUEUE_DATABASE_NO_SPACE'],
    ['no space, by WebAssembly', wasi(51), 'QUEUE_DATABASE_NO_SPACE'],
    ['a quota, by WebAssembly', wasi(19), 'QUEUE_DATABASE_NO_SPACE'],
    ['a quota, by Node', system('EDQUOT'), 'QUEUE_DATABASE_NO_SPACE'],
    ['no space for a table', said('53100'), 'QUEUE_DATABASE_NO_SPACE'],
    ['no space for the log', death('PANIC:  53100: could not write to file "pg_wal/xlogtemp.42": No space left on device'), 'QUEUE_DATABASE_NO_SPACE'],
    ['a quota for the log', death('FATAL:  XX000: could not write to file "pg_wal/xlogtemp.42": Quota exceeded'), 'QUEUE_DATABASE_NO_SPACE'],
    ['read only, by PostgreSQL', death('FATAL:  42501: could not open file "global/pg_control": Read-only file system'), 'QUEUE_DATABASE_READ_ONLY'],
    ['read only, by Node', system('EROFS'), 'QUEUE_DATABASE_READ_ONLY'],
    ['read only, by WebAssembly', wasi(69), 'QUEUE_DATABASE_READ_ONLY'],
    ['no right, by Node', system('EACCES'), 'QUEUE_DATABASE_FORBIDDEN'],
    ['no right, by WebAssembly', wasi(2), 'QUEUE_DATABASE_FORBIDDEN'],
    ['not ours, by WebAssembly', wasi(63), 'QUEUE_DATABASE_FORBIDDEN'],
    ['no right, by PostgreSQL', death('FATAL:  42501: could not open file "pg_wal": Permission denied'), 'QUEUE_DATABASE_FORBIDDEN'],
    ['a disk that fails', wasi(29), 'QUEUE_DATABASE_UNREACHABLE'],
    ['too many open files', system('EMFILE'), 'QUEUE_DATABASE_UNREACHABLE'],
    ['a number that nobody knows', wasi(999), 'QUEUE_DATABASE_UNREACHABLE'],
  ])('%s', (_, error, code) => {
    const told = surroundings('/var/lib/onevault/database', error);
    expect(told).toMatchObject({ code, details: { directory: '/var/lib/onevault/database' }, hint: expect.stringMatching(/\w{3}/), cause: error });
    expect(told?.message).toContain('/var/lib/onevault/database');
  });

  it('and neither damage nor a statement that fails is its surroundings', () => {
    const checkpoint = death('PANIC:  XX000: could not locate a valid checkpoint record');
    for (const error of [
      checkpoint,
      death('FATAL:  58P01: could not open file "base/5/1259"'),
      said('23505'),
      new Error('PGlite failed to initialize properly'),
    ])
      expect(surroundings('/somewhere', error), inspect(error)).toBeUndefined();
    expect(checkpoint).toMatchObject({ code: 'XX000', message: 'could not locate a valid checkpoint record' });
  });
});
