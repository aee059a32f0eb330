import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { awkwardDisks, BLOCK, client, NBD_CLIENTS, type NbdWorld, nbdWorld, type Serving } from '../support/nbd-world.ts';
import { describeWith, requiresCommand } from '../support/requires.ts';
import { testCertificates } from '../support/test-certificates.ts';

const seed = 20261127;
const NAMES = [...awkwardDisks(seed).keys()];

describeWith([...NBD_CLIENTS, requiresCommand('openssl', 'apt-get install openssl')], `nbd serve, seed ${seed}`, () => {
  let world: NbdWorld;
  let tlsDirectory: string;

  beforeAll(async () => {
    world = await nbdWorld(awkwardDisks(seed));
    tlsDirectory = join(world.directory, 'tls');
    await testCertificates(tlsDirectory);
    for (const name of NAMES) await world.rawFile(name);
  });

  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  const wayIn: Readonly<Record<string, () => Promise<Serving>>> = {
    'a Unix socket': () => world.serve(),
    TCP: () => world.serve('--listen', '127.0.0.1:0'),
    TLS: () => world.serve('--listen', 'localhost:0', '--tls-dir', tlsDirectory, '--verify-clients'),
  };

  describe.each(Object.keys(wayIn))('over %s', (way) => {
    let serving: Serving;

    beforeAll(async () => {
      serving = await (wayIn[way]?.() ?? world.serve());
    });

    afterAll(async () => {
      await serving[Symbol.asyncDispose]();
    });

    /** libnbd takes the certificates from the URI, qemu from an object. */
    const uri = (name: string): string => (way === 'TLS' ? `${serving.uri(name)}?tls-certificates=${tlsDirectory}` : serving.uri(name));
    const qemuSource = (name: string): string[] => {
      if (way !== 'TLS') return ['--image-opts', `driver=raw,file.driver=nbd,${qemuServer(serving.uri(name))}`];
      return [
        '--object',
        `tls-creds-x509,id=tls0,endpoint=client,dir=${tlsDirectory}`,
        '--image-opts',
        `driver=raw,file.driver=nbd,${qemuServer(serving.uri(name))},file.tls-creds=tls0`,
      ];
    };

    it.each(NAMES)('nbdinfo and nbdcopy find the disk “%s” as it was', async (name) => {
      const raw = world.disks.get(name) ?? Buffer.alloc(0);
      const info = JSON.parse(await client('nbdinfo', '--json', uri(name))) as { readonly exports: readonly Record<string, unknown>[] };
      expect(info.exports[0]).toMatchObject({ 'export-size': raw.length, is_read_only: true, can_multi_conn: true });
      const copy = join(world.directory, 'copy');
      await client('nbdcopy', uri(name), copy);
      expect((await readFile(copy)).equals(raw)).toBe(true);
    });

    it.each(NAMES)('qemu-img finds the disk “%s” as it was', async (name) => {
      // The other side with the same kind of option: qemu-img takes one for both.
      const raw = `driver=raw,file.driver=file,file.filename=${join(world.directory, `${name}.raw`)}`;
      expect(await client('qemu-img', 'compare', ...qemuSource(name), raw)).toContain('Images are identical');
    });
  });

  it('the map of a client has exactly the holes of the disk, in blocks', async () => {
    await using serving = await world.serve();
    for (const name of NAMES) {
      const raw = world.disks.get(name) ?? Buffer.alloc(0);
      const map = JSON.parse(await client('nbdinfo', '--map', '--json', serving.uri(name))) as readonly { offset: number; length: number; type: number }[];
      let at = 0;
      for (const { offset, length, type } of map) {
        expect(offset).toBe(at);
        at += length;
        for (let block = offset; block < offset + length; block += BLOCK)
          expect(
            raw.subarray(block, Math.min(offset + length, block + BLOCK)).every((byte) => byte === 0),
            `${name} at ${block}`,
          ).toBe(type === 3);
      }
      expect(at).toBe(raw.length);
    }
  });

  it('qemu-io reads any range, and is refused to write', async () => {
    await using serving = await world.serve();
    const raw = world.disks.get('sparse') ?? Buffer.alloc(0);
    const text = await client('qemu-io', '-r', '-f', 'raw', '-c', `read -v ${7 * 1024 * 1024 + 500} 40`, '-c', 'read -P 0 1M 5M', serving.uri('sparse'));
    const bytes = [...text.matchAll(/^[0-9a-f]{8}: +((?:[0-9a-f]{2} )+)/gm)].flatMap(([, hex = '']) => hex.trim().split(' '));
    expect(Buffer.from(bytes.join(''), 'hex').equals(raw.subarray(7 * 1024 * 1024 + 500, 7 * 1024 * 1024 + 540))).toBe(true);
    await expect(client('qemu-io', '-f', 'raw', '-c', 'write 0 512', serving.uri('sparse'))).rejects.toThrow();
  });

  it('TLS without a certificate of ours, or plaintext, reads nothing', async () => {
    await using serving = await world.serve('--listen', 'localhost:0', '--tls-dir', tlsDirectory, '--verify-clients');
    await expect(client('nbdinfo', serving.uri('odd').replace('nbds:', 'nbd:'))).rejects.toThrow();
    const other = join(world.directory, 'other');
    await testCertificates(other);
    await expect(client('nbdinfo', `${serving.uri('odd')}?tls-certificates=${other}&tls-verify-peer=false`)).rejects.toThrow();
    await client('nbdinfo', `${serving.uri('odd')}?tls-certificates=${tlsDirectory}`);
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('ends with 0 on %s and leaves no socket', async (signal) => {
    const serving = await world.serve('--socket', join(world.directory, 'socket'));
    await stat(join(world.directory, 'socket'));
    expect((await serving.stop(signal)).exit).toBe(0);
    await expect(stat(join(world.directory, 'socket'))).rejects.toThrow();
  });

  it('what is read is not lost by forgetting and collecting it meanwhile', async () => {
    await using other = await nbdWorld(new Map([['mixed', world.disks.get('mixed') ?? Buffer.alloc(0)]]));
    await using serving = await other.serve('--cache', '16MiB');
    await client('nbdinfo', serving.uri('mixed'));
    expect(await other.run('point', 'forget', other.point.id, '--even-last')).toMatchObject({ exit: 0 });
    for (let n = 0; n < 2; n++) expect(await other.run('repo', 'gc', '--grace', '0s', '--no-wait')).toMatchObject({ exit: 0 });
    const copy = join(world.directory, 'copy');
    await client('nbdcopy', serving.uri('mixed'), copy);
    expect((await readFile(copy)).equals(world.disks.get('mixed') ?? Buffer.alloc(0))).toBe(true);
  });
});

/** `nbd://host:port/name` or `nbd+unix:///name?socket=path` as options of qemu. */
function qemuServer(uri: string): string {
  const { protocol, hostname, port, pathname, searchParams } = new URL(uri);
  const name = `file.export=${pathname.slice(1)}`;
  if (protocol.includes('unix')) return `file.server.type=unix,file.server.path=${searchParams.get('socket')},${name}`;
  return `file.server.type=inet,file.server.host=${hostname},file.server.port=${port},${name}`;
}
