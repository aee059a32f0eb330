import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '@onevault/base';
import { seededRandom } from '@onevault/base/testing';
import { afterEach, beforeEach } from 'vitest';
import { type NbdExport, type NbdServer, type NbdServerOptions, serveNbd } from '../src/index.ts';
import { COMMAND } from '../src/protocol.ts';
import { memoryExport } from '../testing/index.ts';

export const SIZE = 4 * 1024 * 1024 + 333;
export const content = Buffer.from(seededRandom(7).bytes(SIZE));
content.fill(0, 100_000, 2_000_000);
export const READ = { command: COMMAND.READ } as const;

export interface Place {
  /** A directory for the test at hand, and the socket in it. */
  directory: string;
  path: string;
  serve(disk?: NbdExport, options?: Partial<NbdServerOptions>, clock?: Clock): Promise<NbdServer>;
}

/** A place for the servers of each test of a file; they are closed after it. */
export function servingPlace(): Place {
  const servers: NbdServer[] = [];
  const place: Place = {
    directory: '',
    path: '',
    async serve(disk = memoryExport(content), options = {}, clock = systemClock) {
      const server = await serveNbd({ exports: new Map([['disk', disk]]), listen: { kind: 'unix', path: place.path }, ...options }, { clock });
      servers.push(server);
      return server;
    },
  };
  beforeEach(async () => {
    place.directory = await mkdtemp(join(tmpdir(), 'nbd-'));
    place.path = join(place.directory, 'socket');
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) await server[Symbol.asyncDispose]();
    await rm(place.directory, { recursive: true });
  });
  return place;
}

/** An export whose reads wait until they are let go. */
export function held(disk: NbdExport): NbdExport & { readonly reads: { readonly offset: number; readonly go: () => void }[] } {
  const reads: { readonly offset: number; readonly go: () => void }[] = [];
  return {
    ...disk,
    reads,
    async read(offset, target, options) {
      await new Promise<void>((resolve) => reads.push({ offset, go: resolve }));
      await disk.read(offset, target, options);
    },
  };
}

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

/** Turns of the loop enough for whatever could still come from a socket to have come. */
export async function settle(): Promise<void> {
  for (let n = 0; n < 50; n++) await new Promise((resolve) => setImmediate(resolve));
}
