/**
 * `npm run bundle [-- --out DIR]`: one tarball with the CLI, its production dependencies and their native parts for glibc and musl, which runs on any
 * x86-64 Linux with Node >= 20.19 and no network. The same sources give the same bytes.
 */
import { existsSync } from 'node:fs';
import { copyFile, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { writeArchive } from './bundle/archive.mjs';
import { prune } from './bundle/prune.mjs';
import { main, runStep, TaskError } from './tools/child.mjs';
import { ROOT } from './tools/paths.mjs';
import { step } from './tools/step.mjs';

await main(async () => {
  const { values } = parseArgs({ options: { out: { type: 'string', default: ROOT } } });
  const { version } = JSON.parse(await readFile(`${ROOT}apps/cli/package.json`, 'utf8'));
  const name = `onevault-${version}-linux-x64`;
  const scratch = await mkdtemp(`${tmpdir()}/onevault-bundle-`);
  try {
    const tree = `${scratch}/${name}`;
    await step('production tree', () => deploy(scratch, `${tree}/lib`));
    await step('prune', () => prune(`${tree}/lib`));
    await addFrame(tree, version);
    const archive = resolve(values.out, `${name}.tar.gz`);
    await step('archive', () => writeArchive(scratch, name, archive));
    const { size } = await stat(archive);
    process.stdout.write(`${archive} ${(size / 2 ** 20).toFixed(1)} MiB\n`);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
});

/** The CLI and what it needs, as pnpm would deploy it. */
async function deploy(scratch, target) {
  const workspace = `${scratch}/workspace`;
  await copyBuiltWorkspace(workspace);
  await mkdir(dirname(target), { recursive: true });
  // Flat node_modules: no links into a store, nothing that depends on where it is unpacked. Both libcs, whichever this machine has.
  const platform = ['--os=linux', '--cpu=x64', '--libc=glibc', '--libc=musl'];
  const args = ['--filter', 'onevault', 'deploy', '--legacy', '--prod', '--config.node-linker=hoisted', ...platform, target];
  await runStep('pnpm', args, { cwd: workspace });
}

/**
 * Manifests and built files of the workspace, elsewhere: a deploy with another linker rewrites the node_modules of the workspace that it is called in
 * (pnpm 10.34), under the feet of whoever works there.
 */
async function copyBuiltWorkspace(target) {
  for (const file of ['package.json', 'pnpm-workspace.yaml', 'pnpm-lock.yaml', '.npmrc']) await cp(`${ROOT}${file}`, `${target}/${file}`);
  for (const dir of await workspaceDirs()) {
    for (const part of ['package.json', 'bin', 'dist']) {
      if (existsSync(`${ROOT}${dir}/${part}`)) await cp(`${ROOT}${dir}/${part}`, `${target}/${dir}/${part}`, { recursive: true });
    }
  }
  if (!existsSync(`${target}/apps/cli/dist/main.js`)) throw new TaskError('apps/cli has not been built: run `npm run bundle`, which builds it first');
}

async function workspaceDirs() {
  const folders = await Promise.all(['packages', 'apps'].map(async (folder) => (await readdir(`${ROOT}${folder}`)).map((name) => `${folder}/${name}`)));
  return ['tests', 'bench', ...folders.flat()];
}

/** What stands around the deployed app: launcher, a trial of the whole job, licence, version and how to install it. */
async function addFrame(tree, version) {
  await mkdir(`${tree}/bin`);
  await copyFile(`${ROOT}scripts/bundle/launcher.cjs`, `${tree}/bin/onevault`);
  await cp(`${ROOT}scripts/bundle/try-cloud`, `${tree}/share/try-cloud`, { recursive: true });
  await copyFile(`${ROOT}LICENSE`, `${tree}/LICENSE`);
  await copyFile(`${ROOT}scripts/bundle/README.md`, `${tree}/README.md`);
  await writeFile(`${tree}/VERSION`, `${version}\n`);
}
