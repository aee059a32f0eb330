import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { runStep, TaskError } from './child.mjs';
import { TOOLS } from './paths.mjs';

/**
 * Makes npm put one package, pinned by version and content, into `.tools/<name>-<version>`, and returns the
 * directory of its programs (to be put on PATH).
 * What is there already is reused; an interrupted fetch leaves nothing that looks finished, and two at once do not disturb one another.
 */
export async function fetchTool(tool) {
  const { name, version } = tool;
  const home = `${TOOLS}/${name}-${version}`;
  const binDir = `${home}/node_modules/.bin`;
  if (existsSync(binDir)) return { binDir, fetched: false };
  const unfinished = `${home}.${process.pid}`;
  try {
    await mkdir(unfinished, { recursive: true });
    await writeFile(`${unfinished}/package.json`, JSON.stringify({ private: true, dependencies: { [name]: version } }));
    await writeFile(`${unfinished}/package-lock.json`, JSON.stringify(lockfile(tool)));
    const { command, args } = npm();
    await runStep(command, [...args, 'ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: unfinished, env: plainEnvironment() });
    await finish(unfinished, home);
  } catch (error) {
    if (!(error instanceof TaskError)) throw error;
    throw new TaskError(
      `${name} ${version} could not be fetched from the npm registry: ${error.message}\nA network or registry problem: see npm's own message above.`,
      { cause: error },
    );
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  return { binDir, fetched: true };
}

async function finish(unfinished, home) {
  try {
    await rename(unfinished, home);
  } catch (error) {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error; // somebody else was faster: theirs is as good
  }
}

// Without `resolved` npm asks whatever registry is configured, and without `bin` it would link no programs.
function lockfile({ name, version, integrity, bin }) {
  return {
    lockfileVersion: 3,
    requires: true,
    packages: { '': { dependencies: { [name]: version } }, [`node_modules/${name}`]: { version, integrity, bin } },
  };
}

/** The npm that runs us, else the one on PATH. */
function npm() {
  const running = process.env.npm_execpath;
  if (running?.endsWith('npm-cli.js')) return { command: process.execPath, args: [running] };
  return { command: 'npm', args: [] };
}

/** Without what the outer `npm run` exported (its prefix, its flags): this npm works in another directory. */
function plainEnvironment() {
  return Object.fromEntries(Object.entries(process.env).filter(([key]) => !/^npm_(config_(local_)?prefix|lifecycle|package|command)/.test(key)));
}
