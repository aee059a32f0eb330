import { join } from 'node:path';
import { expect } from 'vitest';
import { client, NBD_CLIENTS, nbdWorld } from '../support/nbd-world.ts';
import { requiresCommand, testWith } from '../support/requires.ts';

const MIB = 1024 * 1024;
const content = (): ReadonlyMap<string, Buffer> => new Map([['disk', Buffer.alloc(8 * MIB, 0x11)]]);

testWith(NBD_CLIENTS, 'what qemu-io writes into an overlay is there for the next server, and never in the repository', async () => {
  await using world = await nbdWorld(content());
  const overlay = join(world.directory, 'overlay');
  const io = (uri: string, ...commands: string[]): Promise<string> => client('qemu-io', '-f', 'raw', ...commands.flatMap((command) => ['-c', command]), uri);
  {
    await using serving = await world.serve(`--writable-overlay=${overlay}`);
    await io(serving.uri('disk'), 'write -P 0x22 1000 70000', 'write -z 4M 1M', 'discard 6M 64k', 'write -P 0x33 -f 7M 4k', 'read -P 0x22 1000 70000', 'flush');
    await expect(world.serve(`--writable-overlay=${overlay}`)).rejects.toThrow(/NBD_OVERLAY_IN_USE/);
  }
  {
    await using serving = await world.serve(`--writable-overlay=${overlay}`);
    const text = await io(
      serving.uri('disk'),
      'read -P 0x11 0 1000',
      'read -P 0x22 1000 70000',
      'read -P 0x11 71000 4000',
      'read -P 0 4M 1M',
      'read -P 0x33 7M 4k',
    );
    expect(text).not.toContain('verification failed');
  }
  await using serving = await world.serve();
  expect(await client('qemu-img', 'compare', '-f', 'raw', '-F', 'raw', serving.uri('disk'), await world.rawFile('disk'))).toContain('identical');
});

testWith(
  [...NBD_CLIENTS, requiresCommand('mke2fs', 'apt-get install e2fsprogs'), requiresCommand('debugfs', 'apt-get install e2fsprogs')],
  'a file system is made over NBD, copied out of it, and whole',
  async () => {
    await using world = await nbdWorld(content());
    await using serving = await world.serve('--writable-overlay');
    const image = join(world.directory, 'image');
    await client('sh', '-c', 'truncate -s 8M "$1" && mke2fs -q -t ext4 "$1"', 'sh', image);
    await client('nbdcopy', image, serving.uri('disk'));
    const back = join(world.directory, 'back');
    await client('qemu-img', 'convert', '-f', 'raw', '-O', 'raw', serving.uri('disk'), back);
    await client('cmp', image, back);
    expect(await client('debugfs', '-R', 'ls', back)).toContain('lost+found');
  },
);
