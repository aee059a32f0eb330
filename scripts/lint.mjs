/** `npm run lint`: every check, all of them even if one fails, and a summary at the end. `npm run lint -- biome knip` runs only those. */
import { availableParallelism } from 'node:os';
import { endLike, run } from './tools/child.mjs';
import { ROOT, workspaceTool } from './tools/paths.mjs';

const CHECKS = {
  biome: [workspaceTool('biome'), 'check', '--error-on-warnings', '--max-diagnostics=50'],
  typecheck: [workspaceTool('turbo'), 'run', 'typecheck', '--continue', '--output-logs=errors-only', `--concurrency=${availableParallelism()}`],
  layers: [workspaceTool('depcruise'), '--config', '.dependency-cruiser.mjs', 'packages', 'apps', 'tests'],
  unused: [workspaceTool('knip'), '--no-progress'],
  tree: [process.execPath, 'scripts/check-tree.mjs'],
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !Object.hasOwn(CHECKS, name));
if (unknown.length > 0) {
  process.stderr.write(`no such check: ${unknown.join(', ')}; there are ${Object.keys(CHECKS).join(', ')}\n`);
  process.exit(2);
}

const env = { ...process.env, TURBO_TELEMETRY_DISABLED: '1', npm_config_loglevel: 'error' };
const summary = [];
for (const [name, [command, ...args]] of Object.entries(CHECKS)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const started = performance.now();
  const { code, signal, output } = await run(command, args, { cwd: ROOT, env, collect: true });
  if (signal !== null) endLike({ code, signal });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  if (code !== 0) process.stdout.write(`\n── ${name} ──\n${output.trimEnd()}\n`);
  summary.push({ name, code, line: `${code === 0 ? 'ok    ' : 'FAILED'} ${name.padEnd(10)} ${seconds.padStart(5)} s` });
}
process.stdout.write(`\n${summary.map(({ line }) => line).join('\n')}\n`);
if (summary.some(({ code }) => code !== 0)) process.exitCode = 1;
