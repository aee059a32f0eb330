import { mkdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { client, NBD_CLIENTS, nbdWorld } from '../support/nbd-world.ts';
import { requiresCommand, testWith } from '../support/requires.ts';

const MIB = 1024 * 1024;

testWith(
  [...NBD_CLIENTS, requiresCommand('mke2fs', 'apt-get install e2fsprogs'), requiresCommand('debugfs', 'apt-get install e2fsprogs')],
  'a file of a guest’s file system is read through qemu-img, and by a kernel of its own where there is time for one',
  async () => {
    await using place = await nbdWorld(new Map());
    const [tree, image] = [join(place.directory, 'tree'), join(place.directory, 'image')];
    await mkdir(tree);
    await writeFile(join(tree, 'greeting'), 'from a guest\n');
    await writeFile(image, '');
    await truncate(image, 16 * MIB);
    await client('mke2fs', '-q', '-t', 'ext4', '-d', tree, image);
    await using world = await nbdWorld(new Map([['fs', await readFile(image)]]));
    await using serving = await world.serve();
    const copy = join(world.directory, 'copy.raw');
    await client('qemu-img', 'convert', '-f', 'raw', '-O', 'raw', serving.uri('fs'), copy);
    expect(await client('debugfs', '-R', 'cat greeting', copy)).toBe('from a guest\n');
    if (!process.env['ONEVAULT_LONG']) return;
    const { pathname, searchParams } = new URL(serving.uri('fs'));
    const source = `nbd://${pathname}?socket=${searchParams.get('socket')}`;
    expect(await client('guestfish', '--ro', '--format=raw', '-a', source, '-m', '/dev/sda', 'cat', '/greeting')).toContain('from a guest\n');
  },
  180_000,
);
