import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exitError } from '../../apps/cli/test/support/json-lines-schema.ts';
import { documentOf, type Finished, openSecondShell, type SecondShell } from '../support/command-line.ts';

interface ListedPoint {
  readonly id: string;
  readonly group: string;
  readonly tags: readonly string[];
  readonly holds: readonly { readonly id: string; readonly reason: string; readonly by: string; readonly until?: string }[];
}

/** Holds, tags, forget and retention as an admin types them. Four restore points of `web`, one of `db`, made once; the tests take them one after another. */
describe('keeping and forgetting', { timeout: 60_000 }, () => {
  let shell: SecondShell;
  let ids: string[];

  beforeAll(async () => {
    shell = await openSecondShell('0');
    for (const name of ['web', 'db']) await shell.run(['sim', 'create-vm', name, '--disk', '2MiB']);
    await shell.run(['init']);
    for (const name of ['web', 'web', 'db', 'web', 'web']) expect(await shell.run(['backup', name, '-q'])).toMatchObject({ exit: 0 });
    ids = (await points(['web'])).map(({ id }) => id);
    expect(ids).toHaveLength(4);
  }, 120_000);
  afterAll(() => shell[Symbol.asyncDispose](), 60_000);

  async function points(args: readonly string[] = []): Promise<ListedPoint[]> {
    return documentOf(await shell.run(['point', 'list', ...args, '--json']))['points'] as ListedPoint[];
  }

  async function expectError(finished: Finished, exit: number, code: string): Promise<void> {
    expect(finished.exit, finished.stderr).toBe(exit);
    expect(exitError.parse(JSON.parse(finished.stderr.trim()))).toMatchObject({ exitCode: exit, code });
  }

  test('tags are set, shown, filtered by and taken away', async () => {
    const [first = '', second = ''] = ids;
    expect((await shell.run(['point', 'tag', first, 'month-end', 'app'])).stdout).toBe(`tags of ${first}: app, month-end\n`);
    await shell.run(['point', 'tag', second, 'app']);
    expect((await points(['--tag', 'app'])).map(({ id }) => id)).toEqual([first, second]);
    expect((await points(['--tag', 'app,month-end'])).map(({ id }) => id)).toEqual([first]);
    expect((await shell.run(['point', 'list', '-l', 'POINT,TAGS', '--csv', '--no-header'])).stdout).toContain(`${first},"app,month-end"\n`);
    expect((await shell.run(['point', 'tag', second, 'app', '--remove'])).stdout).toBe(`tags of ${second}: none\n`);
  });

  test('a held point is not forgotten, and the error says who wants it and why', async () => {
    const [first = ''] = ids;
    const held = await shell.run(['point', 'hold', first, '--reason', 'ticket 42', '--until', '2999-12-31', '--json'], { USER: 'eva' });
    expect(documentOf(held)).toMatchObject({
      type: 'point.hold',
      pointId: first,
      hold: { reason: 'ticket 42', by: expect.stringMatching(/^eva@/), until: '2999-12-31T23:59:59.999Z' },
    });
    expect((await shell.run(['point', 'list', '-l', 'POINT,HELD', '--no-header'])).stdout).toContain(`${first}  ticket 42 until 2999-12-31`);
    const refused = await shell.run(['point', 'forget', first, '--even-last', '--json']);
    expect(refused.exit).toBe(1);
    expect(documentOf(refused)).toMatchObject({
      points: [{ pointId: first, forgotten: false, error: { code: 'REPO_POINT_HELD', message: expect.stringContaining('ticket 42 (eva@') } }],
    });
  });

  test('retention needs a rule and a zone, whatever else is said', async () => {
    await expectError(await shell.run(['retention', 'apply', '--json', '--zone', 'UTC']), 2, 'REPO_RETENTION_EMPTY');
    await expectError(await shell.run(['retention', 'apply', '--json', '--keep-last', '1']), 2, 'CLI_USAGE');
    expect(await points()).toHaveLength(5);
  });

  test('preview says what would go and why, also at a date to come, and changes nothing', async () => {
    const [first = '', second = ''] = ids;
    const rules = ['--keep-last', '1', '--zone', 'Europe/Berlin'];
    const preview = await shell.run(['retention', 'preview', ...rules, '--vm', 'web']);
    expect(preview.exit, preview.stderr).toBe(0);
    expect(preview.stdout).toMatch(/^VM \d+ web: 4 restore points, 2 stay, 2 go\n/);
    expect(preview.stdout).toMatch(new RegExp(`${first} .* keep +hold:ticket 42\n`));
    expect(preview.stdout).toMatch(new RegExp(`${second} .* forget +no-rule\n`));
    expect(preview.stdout).toMatch(/retention result=ok groups=1 points=4 would_forget=2 refused=0\n$/);
    const later = documentOf(await shell.run(['retention', 'preview', ...rules, '--at', '3000-01-01', '--json']));
    expect(later).toMatchObject({ type: 'retention.preview', asOf: '3000-01-01T23:59:59.999Z', policy: { keepLast: 1, timezone: 'Europe/Berlin' } });
    expect(JSON.stringify(later)).not.toContain('ticket 42');
    expect(await points()).toHaveLength(5);
    const dry = await shell.run(['retention', 'apply', ...rules, '--dry-run', '--json']);
    expect(documentOf(dry)).not.toHaveProperty('outcomes');
    expect(await points()).toHaveLength(5);
  });

  test('apply forgets that, of one VM or of all, with a policy from a file', async () => {
    const [first = '', second = '', third = '', fourth = ''] = ids;
    const file = join(shell.dir, 'policy.json');
    await writeFile(file, JSON.stringify({ timezone: 'UTC', keepLast: 1, keepTags: ['month-end'] }));
    await expectError(await shell.run(['retention', 'apply', '--policy', file, '--vm', 'nobody', '--json']), 1, 'CLI_POINT_NOT_FOUND');
    await shell.run(['point', 'tag', third, 'month-end']);
    const applied = await shell.run(['retention', 'apply', '--policy', file, '--json']);
    expect(applied.exit, applied.stderr).toBe(0);
    expect(documentOf(applied)).toMatchObject({ type: 'retention.apply', outcomes: [{ kind: 'forgotten', pointId: second }] });
    expect((await points(['web'])).map(({ id }) => id)).toEqual([first, third, fourth]);
    expect(await points(['db'])).toHaveLength(1);
  });

  test('a hold is released by its id, or alone without one', async () => {
    const [first = ''] = ids;
    await shell.run(['point', 'hold', first, '--reason', 'audit']);
    await expectError(await shell.run(['point', 'release', first, '--json']), 2, 'CLI_USAGE');
    const [{ holds = [] } = { holds: [] }] = await points(['web']);
    const audit = holds.find(({ reason }) => reason === 'audit')?.id ?? '';
    await expectError(await shell.run(['point', 'release', first, 'zzzz', '--json']), 1, 'CLI_HOLD_NOT_FOUND');
    expect((await shell.run(['point', 'release', first, audit.slice(0, 12)])).exit).toBe(0);
    expect((await shell.run(['point', 'release', first])).exit).toBe(0);
    await expectError(await shell.run(['point', 'release', first, '--json']), 1, 'CLI_HOLD_NOT_FOUND');
  });

  test('a group with a manifest that cannot be read is left alone: exit 13', async () => {
    const [first = ''] = ids;
    const groups = await readdir(join(shell.repo, 'points'));
    const group = (await points(['web']))[0]?.group ?? '';
    expect(groups).toContain(group);
    const path = join(shell.repo, 'points', group, `${first}.json`);
    const whole = await readFile(path);
    await writeFile(path, whole.subarray(0, 100));
    const applied = await shell.run(['retention', 'apply', '--keep-last', '1', '--zone', 'UTC', '--json']);
    expect(applied.exit).toBe(13);
    expect(documentOf(applied)).toMatchObject({ outcomes: [{ kind: 'refused', group, unreadable: [`points/${group}/${first}.json`] }] });
    expect((await readdir(join(shell.repo, 'points', group))).length).toBe(3);
    await writeFile(path, whole);
  });

  test('forget takes several, but all prefixes must be unique before the first goes, and never the last good one unasked', async () => {
    const [first = '', , third = '', fourth = ''] = ids;
    await expectError(await shell.run(['point', 'forget', first, third.slice(0, 4), '--json']), 1, 'REPO_POINT_AMBIGUOUS');
    expect(await points(['web'])).toHaveLength(3);
    const most = await shell.run(['point', 'forget', first, third, fourth, '--json']);
    expect(most.exit).toBe(3);
    expect(documentOf(most)).toMatchObject({
      points: [
        { pointId: first, forgotten: true },
        { pointId: third, forgotten: true },
        { pointId: fourth, forgotten: false, error: { code: 'REPO_POINT_LAST_GOOD' } },
      ],
    });
    expect((await shell.run(['point', 'forget', fourth, '--even-last'])).exit).toBe(0);
    expect(await points(['web'])).toEqual([]);
    expect(await readdir(join(shell.repo, 'marks'), { recursive: true }).then((names) => names.filter((name) => /(hold|tag)-/.test(name)))).toEqual([]);
    expect((await shell.run(['verify'])).exit).toBe(0);
  });

  test('repo info and repo stats say what it is and what is in it', async () => {
    const info = await shell.run(['repo', 'info']);
    expect(info.stdout).toMatch(/^REPOSITORY +: [0-9a-f]{32}\n/);
    expect(documentOf(await shell.run(['repo', 'info', '--json']))).toMatchObject({ type: 'repo.info', location: shell.repo, config: { formatVersion: 1 } });
    const stats = documentOf(await shell.run(['repo', 'stats', '--json']));
    expect(stats).toMatchObject({
      type: 'repo.stats',
      stats: { points: 1, groups: 1, unreadablePoints: 0, orphanPacks: { objects: 0 } },
      lastVerify: { counts: { damaged: 0 } },
    });
    expect((await shell.run(['repo', 'stats'])).stdout).toMatch(/POINTS +: 1 of 1 VM, 0 held\n/);
  });
});
