import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@onevault/base';
import { describe, expect, it } from 'vitest';
import { openDatabase, Runs } from '../src/index.ts';
import { runQueueContract, runSpec } from '../testing/index.ts';

async function scratch(): Promise<{ readonly directory: string } & AsyncDisposable> {
  const directory = await mkdtemp(join(tmpdir(), 'onevault-db-'));
  return { directory, [Symbol.asyncDispose]: () => rm(directory, { recursive: true }) };
}

runQueueContract('in the embedded database', async () => {
  const { directory, ...owned } = await scratch();
  const database = await openDatabase({ kind: 'embedded', directory }, { clock: systemClock });
  return {
    database,
    async [Symbol.asyncDispose]() {
      await database[Symbol.asyncDispose]();
      await owned[Symbol.asyncDispose]();
    },
  };
});

describe('the embedded database', () => {
  it('belongs to one process at a time, and is there again afterwards', { timeout: 60_000 }, async () => {
    await using place = await scratch();
    const open = () => openDatabase({ kind: 'embedded', directory: place.directory }, { clock: systemClock });
    {
      await using first = await open();
      await new Runs(first, () => 'run-1').queue(runSpec());
      await expect(open()).rejects.toMatchObject({ code: 'QUEUE_DATABASE_IN_USE' });
    }
    await using second = await open();
    expect(await new Runs(second, () => 'run-2').get('run-1')).toMatchObject({ state: 'queued', vmId: 17 });
  });
});
