import { existsSync } from 'node:fs';
import { copyFile, cp, mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { runStep, TaskError } from '../tools/child.mjs';
import { ROOT } from '../tools/paths.mjs';
import { step } from '../tools/step.mjs';
import { prune } from './prune.mjs';

/** The program with its production dependencies, as bundle and package carry it: `lib` as pnpm deploys it, the launcher, a trial of the whole job, licence and version. */
export async function productionTree(scratch, tree, { version, libcs }) {
  await step('production tree', () => deploy(scratch, `${tree}/lib`, libcs));
  await step('prune', () => prune(`${tree}/lib`));
  await addFrame(tree, version);
}

/** The CLI and what it needs, as pnpm would deploy it. */
async function deploy(scratch, target, libcs) {
  const workspace = `${scratch}/workspace`;
  await copyBuiltWorkspace(workspace);
  await mkdir(dirname(target), { recursive: true });
  // Flat node_modules: no links into a store, nothing that depends on where it is unpacked. Native parts for the libcs asked for, whichever this machine has.
  const platform = ['--os=linux', '--cpu=x64', ...libcs.map((libc) => `--libc=${libc}`)];
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
  if (!existsSync(`${target}/apps/cli/dist/main.js`)) throw new TaskError('apps/cli has not been built: run the npm task, which builds it first');
}

async function workspaceDirs() {
  const folders = await Promise.all(['packages', 'apps'].map(async (folder) => (await readdir(`${ROOT}${folder}`)).map((name) => `${folder}/${name}`)));
  return ['tests', 'bench', ...folders.flat()];
}

async function addFrame(tree, version) {
  await mkdir(`${tree}/bin`);
  await copyFile(`${ROOT}scripts/bundle/launcher.cjs`, `${tree}/bin/onevault`);
  await cp(`${ROOT}scripts/bundle/try-cloud`, `${tree}/share/try-cloud`, { recursive: true });
  await copyFile(`${ROOT}LICENSE`, `${tree}/LICENSE`);
  await copyFile(`${ROOT}scripts/bundle/README.md`, `${tree}/README.md`);
  await writeFile(`${tree}/VERSION`, `${version}\n`);
}
