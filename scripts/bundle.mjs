/**
 * `npm run bundle [-- --out DIR]`: one tarball with the CLI, its production dependencies and their native parts for glibc and musl, which runs on any
 * x86-64 Linux with Node >= 20.19 and no network. The same sources give the same bytes.
 */
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { writeArchive } from './bundle/archive.mjs';
import { productionTree } from './bundle/production-tree.mjs';
import { main } from './tools/child.mjs';
import { ROOT } from './tools/paths.mjs';
import { step } from './tools/step.mjs';

await main(async () => {
  const { values } = parseArgs({ options: { out: { type: 'string', default: ROOT } } });
  const { version } = JSON.parse(await readFile(`${ROOT}apps/cli/package.json`, 'utf8'));
  const name = `onevault-${version}-linux-x64`;
  const scratch = await mkdtemp(`${tmpdir()}/onevault-bundle-`);
  try {
    const tree = `${scratch}/${name}`;
    await productionTree(scratch, tree, { version, libcs: ['glibc', 'musl'] });
    const archive = resolve(values.out, `${name}.tar.gz`);
    await step('archive', () => writeArchive(scratch, name, archive));
    const { size } = await stat(archive);
    process.stdout.write(`${archive} ${(size / 2 ** 20).toFixed(1)} MiB\n`);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
});
