import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeClock } from '@onevault/base/testing';
import { expect, it } from 'vitest';
import type { ProxyVmView } from '../src/index.ts';
import { FakeProxy, writeSysfsTree } from '../testing/index.ts';
import { readImage } from './readme-example.ts';

it('the example in README.md is this code, and it works against a proxy VM', async () => {
  const code = await readFile(new URL('readme-example.ts', import.meta.url), 'utf8');
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  expect(readme).toContain(`\`\`\`ts\n${code}\`\`\``);

  const root = await mkdtemp(join(tmpdir(), 'ov-readme-'));
  try {
    const proxy = new FakeProxy({ clock: new FakeClock({ auto: true }), hotplugMs: 0 });
    proxy.addImage(8, 1);
    const view = proxy.api.view;
    const api = {
      ...proxy.api,
      async view() {
        await rm(join(root, 'sys'), { recursive: true, force: true });
        await writeSysfsTree(
          root,
          (await proxy.sysfs()).map(({ name, sizeBytes, readOnly, serial }) => ({ name, sizeBytes, readOnly, ...(serial === undefined ? {} : { serial }) })),
        );
        return await view();
      },
      async waitFor(done: (seen: ProxyVmView) => boolean) {
        for (;;) {
          const seen = await this.view();
          if (done(seen)) return seen;
        }
      },
    };
    const read: string[] = [];
    await readImage(api, '7.0.2', { imageId: 8, sizeBytes: 1024 ** 2 }, async (devicePath) => void read.push(devicePath), root);
    expect(read).toEqual([join(root, 'dev/vdb')]);
    expect(proxy.listed.map((disk) => disk.target)).toEqual(['vda']);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});
