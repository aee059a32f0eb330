import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import * as sim from '../src/index.ts';
import * as imageStates from '../src/model/states.ts';

const readme = await readFile(join(import.meta.dirname, '../README.md'), 'utf8');

test('the example of the README runs', async () => {
  const code = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  const body = code
    .replace(/^import .*$/m, '')
    .replace('await using sim =', 'const sim =')
    .concat('\nreturn sim;');
  const AsyncFunction = Object.getPrototypeOf(async () => undefined).constructor;
  const dir = await mkdtemp(join(tmpdir(), 'onevault-readme-'));
  const lines: unknown[][] = [];
  const running: sim.Simulator = await new AsyncFunction('startSimulator', 'dir', 'console', body)(sim.startSimulator, dir, {
    log: (...args: unknown[]) => lines.push(args),
  });
  await running.stop();
  await rm(dir, { recursive: true, force: true });
  expect(lines).toEqual([[expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/RPC2$/), 'oneadmin:onevault'], [[]]]);
});

test('the README is short and lists every error code', () => {
  expect(readme.split('\n').length).toBeLessThanOrEqual(62);
  for (const code of ['SIM_DIR_UNUSABLE', 'SIM_DIR_BUSY', 'SIM_STATE_DAMAGED', 'SIM_PORT_UNAVAILABLE', 'SIM_CONTROL_REFUSED', 'SIM_CONTROL_UNREACHABLE'])
    expect(readme).toContain(code);
});

test('states print as OpenNebula prints them', () => {
  expect(imageStates.imageStateText(8)).toBe('USED');
  expect(imageStates.vmStateText({ state: 3, lcmState: 52 })).toBe('DISK_SNAPSHOT_REVERT_POWEROFF');
  expect(imageStates.vmStateText({ state: 8, lcmState: 0 })).toBe('POWEROFF');
});
