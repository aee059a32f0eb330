import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addPolicyFlags, type PolicyFlags, readPolicy } from '../src/commands/retention/policy-flags.ts';
import { parseDate } from '../src/select/date-argument.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onevault-policy-'));
});
afterAll(() => rm(dir, { recursive: true }));

async function policyOf(line: string): Promise<unknown> {
  const command = addPolicyFlags(new Command()).exitOverride();
  command.parse(line === '' ? [] : line.split(' '), { from: 'user' });
  return await readPolicy(command.opts<PolicyFlags>(), dir);
}

describe('a policy from flags', () => {
  test.each([
    ['--zone UTC --keep-last 3', { timezone: 'UTC', keepLast: 3 }],
    [
      '--zone Europe/Berlin --keep-hourly 1 --keep-daily 7 --keep-weekly 4 --keep-monthly 12 --keep-yearly unlimited',
      { timezone: 'Europe/Berlin', keepHourly: 1, keepDaily: 7, keepWeekly: 4, keepMonthly: 12, keepYearly: 'unlimited' },
    ],
    ['--zone UTC --keep-within 7d --keep-within-hourly 12h', { keepWithin: '7d', keepWithinHourly: '12h' }],
    [
      '--zone UTC --keep-within-daily 14d --keep-within-weekly 8w --keep-within-monthly 6m1y --keep-within-yearly 3y',
      { keepWithinDaily: '14d', keepWithinWeekly: '8w', keepWithinMonthly: '1y6m', keepWithinYearly: '3y' },
    ],
    ['--zone UTC --keep-tag gold --keep-tag app,month-end --minimum-good 2', { keepTags: [['gold'], ['app', 'month-end']], minimumGood: 2 }],
  ])('%s', async (line, policy) => {
    expect(await policyOf(line)).toMatchObject(policy);
  });

  test.each([
    ['', 'REPO_RETENTION_EMPTY'],
    ['--zone UTC', 'REPO_RETENTION_EMPTY'],
    ['--zone UTC --keep-daily 0 --keep-within 0d', 'REPO_RETENTION_EMPTY'],
    ['--keep-last 1', 'CLI_USAGE'],
    ['--zone Mars/Base --keep-last 1', 'REPO_TIMEZONE_UNKNOWN'],
    ['--zone UTC --keep-last -1', 'REPO_RETENTION_INVALID'],
    ['--zone UTC --keep-last 1.5', 'REPO_RETENTION_INVALID'],
    ['--zone UTC --keep-last all', 'REPO_RETENTION_INVALID'],
    ['--zone UTC --keep-within 3', 'REPO_RETENTION_INVALID'],
    ['--zone UTC --keep-tag ,', 'REPO_RETENTION_INVALID'],
    ['--zone UTC --keep-last 1 --minimum-good 0', 'REPO_RETENTION_INVALID'],
    ['--policy p.json --keep-last 1', 'CLI_USAGE'],
    ['--policy p.json --zone UTC', 'CLI_USAGE'],
    ['--policy p.json --keep-tag x', 'CLI_USAGE'],
    ['--policy absent.json', 'CLI_USAGE'],
  ])('%s is refused: %s', async (line, code) => {
    await writeFile(join(dir, 'p.json'), '{"timezone":"UTC","keepLast":1}');
    await expect(policyOf(line)).rejects.toMatchObject({ code });
  });

  test.each([
    ['{"timezone":"Asia/Tokyo","keepDaily":7}', undefined],
    ['{"keepDaily":7}', 'REPO_RETENTION_INVALID'],
    ['{"timezone":"UTC"}', 'REPO_RETENTION_EMPTY'],
    ['{"timezone":"UTC","keepDayly":7}', 'REPO_RETENTION_INVALID'],
    ['timezone: UTC', 'CLI_USAGE'],
    ['[]', 'REPO_RETENTION_INVALID'],
  ])('a file %s: %s', async (text, code) => {
    await writeFile(join(dir, 'q.json'), text);
    if (code === undefined) expect(await policyOf('--policy q.json')).toMatchObject(JSON.parse(text));
    else await expect(policyOf('--policy q.json')).rejects.toMatchObject({ code });
  });
});

describe('a date', () => {
  test.each([
    ['2027-01-01', '2027-01-01T23:59:59.999Z'],
    ['2028-02-29', '2028-02-29T23:59:59.999Z'],
    ['2027-01-01T06:00Z', '2027-01-01T06:00:00.000Z'],
    ['2027-01-01T06:00:00+02:00', '2027-01-01T04:00:00.000Z'],
    ['2027-01-01T06:00:00.5Z', '2027-01-01T06:00:00.500Z'],
  ])('%s is %s', (text, instant) => {
    expect(parseDate(text, '--at').toISOString()).toBe(instant);
  });

  test.each(['', 'tomorrow', '2027-02-29', '2027-13-01', '2027-1-1', '2027-01-01T06:00:00', '2027-02-30T06:00:00Z', '1700000000', '2027-01-01T25:00:00Z'])(
    '%j is refused',
    (text) => {
      expect(() => parseDate(text, '--at')).toThrow(expect.objectContaining({ code: 'CLI_USAGE' }));
    },
  );
});
