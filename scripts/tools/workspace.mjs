import { availableParallelism } from 'node:os';
import { delimiter, dirname } from 'node:path';
import { runStep } from './child.mjs';
import { fetchTool } from './fetch-tool.mjs';
import { ROOT, workspaceTool } from './paths.mjs';
import { PINNED } from './pinned.mjs';
import { step } from './step.mjs';

/** The pinned pnpm, and an environment in which it and the running Node are the first on PATH (turbo calls pnpm by name). */
export async function preparePnpm() {
  let pnpmBin;
  await step(`pnpm ${PINNED.pnpm.version}`, async () => {
    const { binDir, fetched } = await fetchTool(PINNED.pnpm);
    pnpmBin = binDir;
    return fetched ? 'fetched' : undefined;
  });
  const env = {
    ...process.env,
    PATH: [pnpmBin, dirname(process.execPath), process.env.PATH].join(delimiter),
    TURBO_TELEMETRY_DISABLED: '1',
    // Without it pnpm may ask whether it may replace a node_modules that another version made; nobody answers in a script.
    npm_config_confirm_modules_purge: 'false',
  };
  return { env };
}

export async function install(env) {
  await step('dependencies', () => runStep('pnpm', ['install', '--frozen-lockfile'], { cwd: ROOT, env }).then(summary));
}

/** `types`: the declarations too, which nothing needs to run. */
export async function build(env, { filters = [], types = false } = {}) {
  await step('build', async () => {
    const args = [
      'run',
      'build',
      ...(types ? ['typecheck'] : []),
      '--output-logs=errors-only',
      `--concurrency=${availableParallelism()}`,
      ...filters.map((filter) => `--filter=${filter}`),
    ];
    const output = await runStep(workspaceTool('turbo'), args, { cwd: ROOT, env });
    return /Cached:\s+(\d+ cached, \d+ total)/.exec(output)?.[1];
  });
}

function summary(output) {
  return output.includes('Already up to date') ? 'up to date' : undefined;
}
