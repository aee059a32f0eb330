import { endLike, run, TaskError } from './child.mjs';
import { ROOT } from './paths.mjs';
import { build, install, preparePnpm } from './workspace.mjs';

/** What each task needs before it can run, and the program (run by this Node) that is the task. */
const TASKS = {
  demo: { build: ['onevault...'], program: ['apps/cli/bin/onevault.js', 'demo'] },
  test: { build: [], types: true, program: ['scripts/test.mjs'] },
  'demo:server': { build: ['onevault...'], program: ['apps/cli/bin/onevault.js', 'demo', '--serve'] },
  'test:matrix': { build: [], program: ['scripts/test-matrix.mjs'] },
  bench: { build: ['@onevault/bench^...'], program: ['bench/main.mjs'] },
  bundle: { build: ['onevault...'], program: ['scripts/bundle.mjs'] },
  deb: { build: ['onevault...'], program: ['scripts/deb.mjs'] },
  build: { build: [], types: true },
  lint: { program: ['scripts/lint.mjs'] },
  format: { program: ['scripts/format.mjs'] },
};

/** Prepares the workspace for `name`, runs it with `args` and ends as it ends. */
export async function runTask(name, args) {
  const task = Object.hasOwn(TASKS, name ?? '') ? TASKS[name] : undefined;
  if (task === undefined) throw new TaskError(`usage: node scripts/with-tools.mjs ${Object.keys(TASKS).join('|')} [arguments]`);
  const { env } = await preparePnpm();
  await install(env);
  if (task.build !== undefined) await build(env, { filters: task.build, types: task.types === true });
  if (task.program === undefined) return;
  const [program, ...fixed] = task.program;
  endLike(await run(process.execPath, [`${ROOT}${program}`, ...fixed, ...args], { env }));
}
