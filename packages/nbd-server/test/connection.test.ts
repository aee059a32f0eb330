import { stat } from 'node:fs/promises';
import { FakeClock } from '@onevault/base/testing';
import { describe, expect, it } from 'vitest';
import { NbdError, type NbdExport } from '../src/index.ts';
import { CHUNK, COMMAND, COMMAND_FLAG, ERRNO, OPTION } from '../src/protocol.ts';
import { memoryExport } from '../testing/index.ts';
import { assemble, RawClient } from '../testing/raw-client.ts';
import { content, held, READ, SIZE, servingPlace, settle, until } from './serving.ts';

const place = servingPlace();

describe('reading', () => {
  it('names holes and sends the rest, in structured replies', async () => {
    await place.serve();
    const client = await RawClient.enter(place.path, 'disk');
    await client.ask({ ...READ, cookie: 77n, offset: 5, length: SIZE - 5 });
    const chunks = await client.reply();
    expect(assemble(chunks, 5, SIZE - 5).equals(content.subarray(5))).toBe(true);
    expect(chunks.some(({ type }) => type === CHUNK.OFFSET_HOLE)).toBe(true);
    expect(new Set(chunks.map(({ cookie }) => cookie))).toEqual(new Set([77n]));
    client.end();
  });

  it('sends one piece, zeros included, to who asks for one', async () => {
    await place.serve();
    const client = await RawClient.enter(place.path, 'disk');
    await client.ask({ ...READ, flags: COMMAND_FLAG.DF, offset: 90_000, length: 20_000 });
    const chunks = await client.reply();
    expect(chunks).toHaveLength(1);
    expect(assemble(chunks, 90_000, 20_000).equals(content.subarray(90_000, 110_000))).toBe(true);
    await client.ask({ ...READ, flags: COMMAND_FLAG.DF, length: 4 * 1024 * 1024 + 1 });
    expect((await client.reply())[0]?.payload.readUInt32BE(0)).toBe(ERRNO.EOVERFLOW);
    client.end();
  });

  it('answers clients without structured replies in the old way', async () => {
    await place.serve();
    const client = await RawClient.enter(place.path, 'disk', false);
    await client.ask({ ...READ, cookie: 3n, offset: 50_000, length: 100_000 });
    const reply = await client.simpleReply(100_000);
    expect([reply.errno, reply.cookie, reply.data.equals(content.subarray(50_000, 150_000))]).toEqual([0, 3n, true]);
    await client.ask({ ...READ, flags: COMMAND_FLAG.DF, length: 1 });
    expect((await client.simpleReply()).errno).toBe(ERRNO.EINVAL);
    client.end();
  });

  it('answers a later request before an earlier one that takes longer', async () => {
    const disk = held(memoryExport(content));
    await place.serve(disk);
    const client = await RawClient.enter(place.path, 'disk');
    await client.ask({ ...READ, cookie: 1n, offset: 0, length: 10 });
    await client.ask({ ...READ, cookie: 2n, offset: 3_000_000, length: 10 });
    await until(() => disk.reads.length === 2);
    disk.reads[1]?.go();
    expect((await client.chunk()).cookie).toBe(2n);
    disk.reads[0]?.go();
    expect((await client.chunk()).cookie).toBe(1n);
    client.end();
  });

  it('answers a failing read with EIO and the place, and goes on', async () => {
    const disk = memoryExport(content);
    const broken: NbdExport = {
      ...disk,
      async read(offset, target, options) {
        if (offset < 3_000_000 && offset + target.length > 2_900_000)
          throw new NbdError({ code: 'NBD_OVERLAY_INVALID', message: 'gone', details: { offset: 2_900_000 } as object });
        await disk.read(offset, target, options);
      },
    };
    await place.serve(broken);
    const client = await RawClient.enter(place.path, 'disk');
    await client.ask({ ...READ, offset: 2_500_000, length: 500_000 });
    const [error] = await client.reply();
    expect([error?.type, error?.payload.readUInt32BE(0)]).toEqual([CHUNK.ERROR_OFFSET, ERRNO.EIO]);
    expect(error?.payload.readBigUInt64BE((error?.payload.length ?? 8) - 8)).toBe(2_900_000n);
    await client.ask({ ...READ, offset: 3_000_000, length: 100 });
    expect(assemble(await client.reply(), 3_000_000, 100).equals(content.subarray(3_000_000, 3_000_100))).toBe(true);
    client.end();
  });

  it.each([
    ['beyond the end', { ...READ, offset: SIZE - 5, length: 6 }, ERRNO.EINVAL],
    ['of an offset that no disk has', { ...READ, offset: 2 ** 53, length: 1 }, ERRNO.EINVAL],
    ['with flags that are not its own', { ...READ, flags: COMMAND_FLAG.REQ_ONE, length: 1 }, ERRNO.EINVAL],
    ['of an unknown kind', { command: 99 }, ERRNO.EINVAL],
    ['to zero a read-only export', { command: COMMAND.WRITE_ZEROES, length: 5 }, ERRNO.EPERM],
    ['to trim a read-only export', { command: COMMAND.TRIM, length: 5 }, ERRNO.EPERM],
    ['to flush a range', { command: COMMAND.FLUSH, offset: 1 }, ERRNO.EINVAL],
    ['for the status of nothing', { command: COMMAND.BLOCK_STATUS }, ERRNO.EINVAL],
    ['for the status beyond the end', { command: COMMAND.BLOCK_STATUS, offset: SIZE, length: 1 }, ERRNO.EINVAL],
  ])('refuses a request %s, and goes on', async (_, request, errno) => {
    await place.serve();
    const client = await RawClient.enter(place.path, 'disk');
    await client.ask(request);
    const [chunk] = await client.reply();
    expect([chunk?.type, chunk?.payload.readUInt32BE(0)]).toEqual([CHUNK.ERROR, errno]);
    await client.ask({ command: COMMAND.CACHE, length: 100 });
    expect((await client.reply())[0]?.type).toBe(CHUNK.NONE);
    client.end();
  });

  it('refuses the payload of a write on a read-only export without losing its place', async () => {
    await place.serve();
    const client = await RawClient.enter(place.path, 'disk');
    await client.ask({ command: COMMAND.WRITE, length: 5000 }, Buffer.alloc(5000, 1));
    expect((await client.reply())[0]?.payload.readUInt32BE(0)).toBe(ERRNO.EPERM);
    await client.ask({ command: COMMAND.FLUSH });
    expect((await client.reply())[0]?.type).toBe(CHUNK.NONE);
    client.end();
  });
});

describe('writing', () => {
  it('writes, zeroes and flushes before a reply that was to be durable', async () => {
    const calls: string[] = [];
    const bytes = Buffer.from(content);
    const disk = memoryExport(bytes, { writable: true });
    const { writer } = disk;
    if (!writer) throw new Error('not writable');
    await place.serve({ ...disk, writer: { ...writer, flush: async () => void calls.push('flush') } });
    const client = await RawClient.enter(place.path, 'disk');
    await client.ask({ command: COMMAND.WRITE, flags: COMMAND_FLAG.FUA, offset: 9, length: 3 }, Buffer.from('abc'));
    expect((await client.reply())[0]?.type).toBe(CHUNK.NONE);
    expect([bytes.subarray(9, 12).toString(), calls]).toEqual(['abc', ['flush']]);
    await client.ask({ command: COMMAND.WRITE_ZEROES, flags: COMMAND_FLAG.NO_HOLE, offset: 10, length: 1 });
    await client.reply();
    expect(bytes.subarray(9, 12).toString()).toBe('a\0c');
    await client.ask({ command: COMMAND.WRITE, offset: SIZE - 1, length: 2 }, Buffer.from('no'));
    expect((await client.reply())[0]?.payload.readUInt32BE(0)).toBe(ERRNO.ENOSPC);
    client.end();
  });
});

describe('limits', () => {
  it('reads no more requests of a connection than may be under way', async () => {
    const disk = held(memoryExport(content));
    await place.serve(disk, { limits: { maxRequests: 4 } });
    const client = await RawClient.enter(place.path, 'disk');
    for (let n = 0; n < 10; n++) await client.ask({ ...READ, cookie: BigInt(n), length: 8 });
    await until(() => disk.reads.length === 4);
    await settle();
    expect(disk.reads).toHaveLength(4);
    for (let n = 0; n < 10; n++) {
      await until(() => disk.reads[n] !== undefined);
      disk.reads[n]?.go();
      await client.reply();
    }
    client.end();
  });

  it('holds no more data for a client that does not read its replies than it may', async () => {
    let readBytes = 0;
    const disk = memoryExport(content);
    const counting: NbdExport = {
      ...disk,
      async read(offset, target, options) {
        readBytes += target.length;
        await disk.read(offset, target, options);
      },
    };
    await place.serve(counting, { limits: { maxDataBytes: 1024 * 1024 } });
    const client = await RawClient.enter(place.path, 'disk');
    client.socket.pause();
    for (let n = 0; n < 50; n++) await client.ask({ ...READ, cookie: BigInt(n), offset: 2_000_000, length: 1024 * 1024 });
    await settle();
    // One is held; what the buffers of the socket have taken is the system's.
    expect(readBytes).toBeLessThanOrEqual(4 * 1024 * 1024);
    client.end();
  });

  it('drops a connection more than there may be', async () => {
    await place.serve(memoryExport(content), { limits: { maxConnections: 1 } });
    const first = await RawClient.enter(place.path, 'disk');
    const second = await RawClient.connect(place.path);
    expect(await second.read(1)).toBeUndefined();
    first.end();
  });
});

describe('time', () => {
  it('drops a client that does not choose an export', async () => {
    const clock = new FakeClock();
    await place.serve(memoryExport(content), {}, clock);
    const client = await RawClient.greet(place.path);
    await client.option(OPTION.LIST);
    clock.advance(30_000);
    expect(await client.read(1)).toBeUndefined();
  });

  it('drops a client that is silent for longer than it may, and none that is not', async () => {
    const clock = new FakeClock();
    await place.serve(memoryExport(content), { timing: { idleMs: 60_000 } }, clock);
    const client = await RawClient.enter(place.path, 'disk');
    for (let n = 0; n < 3; n++) {
      clock.advance(40_000);
      await client.ask({ ...READ, length: 10 });
      await client.reply();
      await settle();
    }
    clock.advance(60_000);
    expect(await client.read(1)).toBeUndefined();
  });

  it('lets a client sleep when nothing else was asked for', async () => {
    const clock = new FakeClock();
    await place.serve(memoryExport(content), {}, clock);
    const client = await RawClient.enter(place.path, 'disk');
    await settle();
    clock.advance(30 * 24 * 3600_000);
    await client.ask({ ...READ, length: 10 });
    expect((await client.reply())[0]?.type).toBe(CHUNK.OFFSET_DATA);
    client.end();
  });
});

describe('shutting down', () => {
  it('answers what is under way, takes nothing new, and removes the socket', async () => {
    const disk = held(memoryExport(content));
    const stop = new AbortController();
    const server = await place.serve(disk, { signal: stop.signal });
    const client = await RawClient.enter(place.path, 'disk');
    await client.ask({ ...READ, cookie: 5n, length: 10 });
    await until(() => disk.reads.length === 1);
    stop.abort();
    await settle();
    disk.reads[0]?.go();
    expect((await client.chunk()).cookie).toBe(5n);
    expect(await client.read(1)).toBeUndefined();
    await server.closed;
    await expect(stat(place.path)).rejects.toThrow();
  });

  it('does not wait for a request that does not end', async () => {
    const clock = new FakeClock();
    const disk = held(memoryExport(content));
    const server = await place.serve(disk, { timing: { shutdownMs: 1000 } }, clock);
    const client = await RawClient.enter(place.path, 'disk');
    await client.ask({ ...READ, length: 10 });
    await until(() => disk.reads.length === 1);
    const closing = server[Symbol.asyncDispose]();
    await settle();
    clock.advance(1000);
    expect(await client.read(1)).toBeUndefined();
    disk.reads[0]?.go();
    await closing;
  });
});
