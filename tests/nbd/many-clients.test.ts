import { readFile } from 'node:fs/promises';
import { systemClock } from '@onevault/base';
import { seededRandom } from '@onevault/base/testing';
import { assemble, RawClient } from '@onevault/nbd-server/testing';
import { expect, it } from 'vitest';
import { type NbdWorld, nbdWorld, type Serving } from '../support/nbd-world.ts';

const MIB = 1024 * 1024;
const CLIENTS = 8;
const CACHE_MIB = 16;
const DURATION_MS = process.env['ONEVAULT_LONG'] ? 60_000 : 3000;
/** Node itself, the cache, the blocks being read, and 4 MiB for each client: docs/operate/nbd.md. */
const LIMIT_MIB = 160 + CACHE_MIB + 96 + CLIENTS * 4;
const READ = 0;

it(`${CLIENTS} clients that read anywhere for ${DURATION_MS / 1000} s get what is there, in ${LIMIT_MIB} MiB of memory`, {
  timeout: DURATION_MS + 60_000,
}, async () => {
  const seed = 81;
  const disk = Buffer.from(seededRandom(seed).bytes(96 * MIB));
  await using world: NbdWorld = await nbdWorld(new Map([['noise', disk]]));
  await using serving = await world.serve('--cache', `${CACHE_MIB}MiB`);
  const socket = new URL(serving.uri('noise')).searchParams.get('socket') ?? '';
  const until = systemClock.monotonicMs() + DURATION_MS;
  const counts = await Promise.all(Array.from({ length: CLIENTS }, (_, n) => readAnywhere(socket, disk, seededRandom(seed + n), until)));
  expect(Math.min(...counts)).toBeGreaterThan(10);
  const peak = await peakMiB(serving);
  process.stdout.write(`seed ${seed}: ${counts.reduce((sum, count) => sum + count, 0)} reads, at most ${peak} MiB\n`);
  expect(peak).toBeLessThan(LIMIT_MIB);
});

/** Eight requests at a time, of up to 256 KiB; every answer is compared. */
async function readAnywhere(socket: string, disk: Buffer, random: ReturnType<typeof seededRandom>, until: number): Promise<number> {
  const client = await RawClient.enter(socket, 'disk-0');
  let count = 0;
  while (systemClock.monotonicMs() < until) {
    const asked = new Map<bigint, { readonly offset: number; readonly length: number }>();
    for (let cookie = 0n; cookie < 8n; cookie++) {
      const length = 1 + random.int(256 * 1024);
      const offset = random.int(disk.length - length);
      asked.set(cookie, { offset, length });
      await client.ask({ command: READ, cookie, offset, length });
    }
    while (asked.size > 0) {
      const chunk = await client.chunk();
      const { offset, length } = asked.get(chunk.cookie) ?? { offset: 0, length: 0 };
      asked.delete(chunk.cookie); // pieces are larger than what is asked for: one chunk is all of it
      if (!assemble([chunk], offset, length).equals(disk.subarray(offset, offset + length))) throw new Error(`${length} bytes from ${offset} on are wrong`);
      count += 1;
    }
  }
  client.end();
  return count;
}

async function peakMiB({ pid }: Serving): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024);
}
