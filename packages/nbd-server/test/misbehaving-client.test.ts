import { seededRandom } from '@onevault/base/testing';
import { describe, expect, it } from 'vitest';
import { CHUNK, COMMAND, OPTION } from '../src/protocol.ts';
import { assemble, contextData, encodeOption, RawClient } from '../testing/raw-client.ts';
import { content, READ, servingPlace, until } from './serving.ts';

const place = servingPlace();

describe('a client that does not keep to the protocol', () => {
  const ends = async (client: RawClient): Promise<void> => {
    while (await client.read(1));
    client.end();
  };

  it.each([
    ['flags that do not exist', () => RawClient.greet(place.path, 0xff)],
    [
      'rubbish for an option',
      async () => {
        const client = await RawClient.greet(place.path);
        await client.send(Buffer.alloc(64, 0x55));
        return client;
      },
    ],
    [
      'an option of 4 GiB',
      async () => {
        const client = await RawClient.greet(place.path);
        const header = encodeOption(OPTION.GO, Buffer.alloc(0));
        header.writeUInt32BE(0xffffffff, 12);
        await client.send(header);
        return client;
      },
    ],
    [
      'rubbish for a request',
      async () => {
        const client = await RawClient.enter(place.path, 'disk');
        await client.send(Buffer.alloc(28, 0x55));
        return client;
      },
    ],
    [
      'a write of 4 GiB',
      async () => {
        const client = await RawClient.enter(place.path, 'disk');
        await client.ask({ command: COMMAND.WRITE, length: 0xffffffff });
        return client;
      },
    ],
  ])('is dropped for %s, and nobody else notices', async (_, misbehave) => {
    await place.serve();
    const other = await RawClient.enter(place.path, 'disk');
    await ends(await misbehave());
    await other.ask({ ...READ, length: 10 });
    expect(assemble(await other.reply(), 0, 10).equals(content.subarray(0, 10))).toBe(true);
    other.end();
  });

  it('may send any rubbish at any time, and the server lives', async () => {
    const seed = 20261127;
    const random = seededRandom(seed);
    const server = await place.serve();
    for (let n = 0; n < 60; n++) {
      const client =
        n % 3 === 0 ? await RawClient.connect(place.path) : n % 3 === 1 ? await RawClient.greet(place.path) : await RawClient.enter(place.path, 'disk');
      const good = encodeOption(OPTION.SET_META_CONTEXT, contextData('disk', ['base:allocation']));
      const bytes = Buffer.concat([n % 2 ? good : Buffer.alloc(0), Buffer.from(random.bytes(random.int(200)))]);
      await client.send(bytes).catch(() => undefined);
      client.socket.end();
      while (await client.read(1));
    }
    await until(() => server.connections === 0);
    const client = await RawClient.enter(place.path, 'disk');
    await client.ask({ ...READ, length: 10 });
    expect((await client.reply())[0]?.type, `seed ${seed}`).toBe(CHUNK.OFFSET_DATA);
    client.end();
  });

  it('skips an option that is too long to be read', async () => {
    await place.serve();
    const client = await RawClient.greet(place.path);
    expect((await client.option(OPTION.INFO, Buffer.alloc(100_000)))[0]?.type).toBe(0x80000009);
    expect(await client.option(OPTION.LIST)).toHaveLength(2);
    client.end();
  });
});
