import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { PINNED } from '../../scripts/tools/pinned.mjs';
import { finished, node, ROOT, scratchTree } from './scratch.mjs';

const WITH_TOOLS = `${ROOT}scripts/with-tools.mjs`;

test('a Node that is too old is told so, before anything is fetched', async () => {
  const dir = await scratchTree({ 'old.cjs': `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.20.4' } })` });
  const { code, stderr } = await node(['--require', `${dir}/old.cjs`, WITH_TOOLS, 'build']);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^onevault needs Node 20\.19 or newer/);
  expect(stderr.trimEnd().split('\n')).toHaveLength(2);
});

test.each([[[]], [['nonsense']], [['toString']]])('a task that does not exist is a usage error: %j', async (args) => {
  const { code, stderr } = await node([WITH_TOOLS, ...args]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^usage: .*demo\|test/);
});

test('the pinned pnpm is the one that package.json names', async () => {
  const { packageManager } = JSON.parse(await readFile(`${ROOT}package.json`, 'utf8'));
  expect(packageManager).toBe(`pnpm@${PINNED.pnpm.version}`);
});

test('every npm script is a task of with-tools', async () => {
  const { scripts } = JSON.parse(await readFile(`${ROOT}package.json`, 'utf8'));
  const { stderr } = await node([WITH_TOOLS]);
  const tasks = /onevault|usage: node scripts\/with-tools\.mjs (\S+)/.exec(stderr)[1].split('|');
  for (const [name, command] of Object.entries(scripts)) expect(command).toBe(`node scripts/with-tools.mjs ${name}`);
  expect(tasks).toEqual(expect.arrayContaining(Object.keys(scripts)));
});

/** A program that runs `child` as a task is run. */
function parent(child) {
  return {
    'parent.mjs': `import { endLike, run } from '${ROOT}scripts/tools/child.mjs'; endLike(await run(process.execPath, [new URL('child.mjs', import.meta.url).pathname]));`,
    'child.mjs': child,
  };
}

test('the exit code of a task is passed on', async () => {
  const dir = await scratchTree(parent('process.exitCode = 13'));
  expect(await node([`${dir}/parent.mjs`])).toMatchObject({ code: 13, signal: null });
});

test('a task that dies of a signal takes its runner with it, so that a shell sees the same', async () => {
  const dir = await scratchTree(parent(`process.kill(process.pid, 'SIGKILL')`));
  expect(await node([`${dir}/parent.mjs`])).toMatchObject({ code: null, signal: 'SIGKILL' });
});

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'])('without a terminal %s is passed on, and the task decides how it ends', async (signal) => {
  const dir = await scratchTree(parent(`process.on('${signal}', () => process.exit(7)); setInterval(() => {}, 1000); console.log('ready')`));
  const end = await node([`${dir}/parent.mjs`], { until: 'ready', whileRunning: (child) => child.kill(signal) });
  expect(end).toMatchObject({ code: 7, signal: null });
});

// Runs argv on a pseudo-terminal, presses Ctrl-C when it says "ready", and prints what it printed.
const ON_A_TERMINAL = `
import os, pty, sys
pid, tty = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
seen, pressed = b'', False
while True:
    try:
        part = os.read(tty, 65536)
    except OSError:
        break
    if not part:
        break
    seen += part
    if not pressed and b'ready' in seen:
        pressed = True
        os.write(tty, b'\\x03')
os.waitpid(pid, 0)
sys.stdout.write(seen.decode())
`;

test('on a terminal the task gets a Ctrl-C once, not once from the terminal and once from its runner', async () => {
  const counting = `let count = 0; process.on('SIGINT', () => { count += 1; if (count === 1) setTimeout(() => { console.log('interrupted ' + count); process.exit(0) }, 300) }); setInterval(() => {}, 1000); console.log('ready')`;
  const dir = await scratchTree({ ...parent(counting), 'terminal.py': ON_A_TERMINAL });
  const { stdout } = await finished('python3', [`${dir}/terminal.py`, process.execPath, `${dir}/parent.mjs`]);
  expect(stdout).toContain('interrupted 1');
});
