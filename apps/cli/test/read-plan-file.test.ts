import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { JobError } from '@onevault/orchestrator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { planProblems, readPlanFile } from '../src/plan-file/read-plan-file.ts';

const PLAN = `version: 1
name: web shop
defaults:
  prefix: dr-
  networks: { lan: isolated }
vms:
  - vm: db
    wait:
      for: [ready, { running: 30s }]
      limit: 5m
  - vm: 7
    point: { at: 2026-11-20T03:00:00Z }
    after: [db]
`;

describe('a plan file', () => {
  let dir = '';
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'onevault-plan-'));
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));
  const read = async (text: string | Uint8Array): ReturnType<typeof readPlanFile> => {
    const path = join(dir, 'plan.yaml');
    await writeFile(path, text);
    return readPlanFile(path);
  };

  it('is read with its defaults, spans in ms and ids as text', async () => {
    const { file } = await read(PLAN);
    expect(file).toMatchObject({
      onFailure: 'stop',
      defaults: { prefix: 'dr-', suffix: '', networks: { lan: 'isolated' } },
      vms: [
        { vm: 'db', group: 0, after: [], wait: { for: [{ kind: 'onegate-ready' }, { kind: 'running', seconds: 30 }], need: 'all', limit: 300_000 } },
        { vm: '7', point: { at: '2026-11-20T03:00:00Z' }, after: ['db'] },
      ],
    });
  });

  it('may be JSON', async () => {
    expect((await read(JSON.stringify({ version: 1, name: 'a', vms: [{ vm: 'db' }] }))).file.vms).toHaveLength(1);
  });

  it.each<readonly [string, string | Uint8Array, RegExp]>([
    ['a misspelt field', PLAN.replace('after: [db]', 'afer: [db]'), /line 11, vms\.1: .*afer/],
    ['a span without a unit', PLAN.replace('limit: 5m', 'limit: 5'), /line 10, vms\.0\.wait\.limit/],
    ['a sign that is none', PLAN.replace('[ready,', '[steady,'), /line 9, vms\.0\.wait\.for\.0/],
    ['a name that OpenNebula refuses', PLAN.replace('- vm: 7', '- vm: 7\n    name: "a:b"'), /line 12, vms\.1\.name/],
    ['a field that is missing', PLAN.replace('name: web shop\n', ''), /name/],
    ['another version', PLAN.replace('version: 1', 'version: 2'), /line 1, version/],
    ['a key twice', PLAN.replace('version: 1', 'version: 1\nversion: 1'), /unique/],
    ['what is no YAML', 'version: [1', /line 1/],
    ['a list', '- 1\n', /expected object/],
    ['nothing', '', /expected object/],
    ['bytes that are no text', Uint8Array.of(0xff, 0xfe, 0x00), /cannot be read/],
    [
      'aliases of aliases',
      `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghi'
        .split('')
        .map((n, at) => `${n}: &${n} [${Array(9).fill(`*${'abcdefgh'[at]}`)}]`)
        .join('\n')}\n`,
      /alias/i,
    ],
    ['more than a plan can be', `version: 1\n#${'x'.repeat(1024 * 1024)}`, /more than/],
  ])('with %s is refused, with the line', async (_what, text, message) => {
    const error = await read(text).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code: 'CLI_PLAN_FILE_INVALID', message: expect.stringMatching(message) });
  });

  it('that is not there says so', async () => {
    await expect(readPlanFile(join(dir, 'none.yaml'))).rejects.toMatchObject({ code: 'CLI_PLAN_FILE_INVALID', message: expect.stringContaining('ENOENT') });
  });

  it('gives lines to what repository and cloud bring to light', async () => {
    const text = await read(PLAN);
    const problems = [
      { path: ['vms', 1, 'point'], text: 'there is no such point' },
      { path: ['vms', 0, 'networks', 'lan'], text: "network 'isolated': there is none" },
    ];
    const error = planProblems(new JobError({ code: 'JOB_PLAN_FILE_INVALID', message: 'x', details: { problems } }), text);
    expect(error).toMatchObject({
      code: 'CLI_PLAN_FILE_INVALID',
      details: { problems: ['line 12, vms.1.point: there is no such point', "line 7, vms.0.networks.lan: network 'isolated': there is none"] },
    });
    const other = new Error('other');
    expect(planProblems(other, text)).toBe(other);
  });
});
