import { systemClock } from '@onevault/base';
import { describe, expect, it } from 'vitest';
import { type NbdExport, nbdUri, serveNbd } from '../src/index.ts';
import { assemble, RawClient } from '../testing/raw-client.ts';
import { READ, servingPlace } from './serving.ts';

async function serveBytes(bytes: Uint8Array, path: string, signal: AbortSignal, ready: (uri: string) => void): Promise<void> {
  const disk: NbdExport = {
    sizeBytes: bytes.length,
    read: async (offset, target) => target.set(bytes.subarray(offset, offset + target.length)),
    extents: async (_offset, length) => [{ kind: 'data', length }],
  };
  const server = await serveNbd({ exports: new Map([['vda', disk]]), listen: { kind: 'unix', path }, signal }, { clock: systemClock });
  ready(nbdUri(server.address, 'vda'));
  await server.closed;
}

const place = servingPlace();

describe('the example of the README', () => {
  it('serves bytes until it is told to stop', async () => {
    const bytes = Buffer.from('a small disk');
    const stop = new AbortController();
    let ended: Promise<void> | undefined;
    const uri = await new Promise<string>((resolve) => {
      ended = serveBytes(bytes, place.path, stop.signal, resolve);
    });
    expect(uri).toBe(`nbd+unix:///vda?socket=${place.path}`);
    const client = await RawClient.enter(place.path, 'vda');
    await client.ask({ ...READ, length: bytes.length });
    expect(assemble(await client.reply(), 0, bytes.length).toString()).toBe('a small disk');
    stop.abort();
    await ended;
  });
});
