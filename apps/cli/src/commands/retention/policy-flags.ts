import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseRetentionPolicy, type RetentionPolicy } from '@onevault/backup-format';
import { type CallOptions, isAbort } from '@onevault/base';
import type { Command } from 'commander';
import { usageError } from '../../errors.ts';

/** Flag of commander, key of the policy, what people read in the help. */
const COUNT_FLAGS = [
  ['keepLast', '--keep-last <n>', 'the newest n restore points'],
  ['keepHourly', '--keep-hourly <n>', 'one for each of the n newest hours that have any'],
  ['keepDaily', '--keep-daily <n>', 'the same of days'],
  ['keepWeekly', '--keep-weekly <n>', 'of ISO weeks, Monday to Sunday'],
  ['keepMonthly', '--keep-monthly <n>', 'of months'],
  ['keepYearly', '--keep-yearly <n>', 'of years'],
] as const;

const WITHIN_FLAGS = [
  ['keepWithin', '--keep-within <span>', 'everything younger than that, seen from the newest: 12h, 7d, 2w, 6m, 1y6m'],
  ['keepWithinHourly', '--keep-within-hourly <span>', 'one for each hour of that time'],
  ['keepWithinDaily', '--keep-within-daily <span>', 'one for each day of it'],
  ['keepWithinWeekly', '--keep-within-weekly <span>', 'week'],
  ['keepWithinMonthly', '--keep-within-monthly <span>', 'month'],
  ['keepWithinYearly', '--keep-within-yearly <span>', 'year'],
] as const;

type RuleFlag = (typeof COUNT_FLAGS)[number][0] | (typeof WITHIN_FLAGS)[number][0];

export type PolicyFlags = Partial<Readonly<Record<RuleFlag, string>>> & {
  readonly keepTag?: readonly string[];
  readonly zone?: string;
  readonly minimumGood?: string;
  readonly policy?: string;
};

/** Every flag that says a rule, for who takes none. */
export const RULE_FLAGS: Readonly<Record<string, string>> = Object.fromEntries([
  ...[...COUNT_FLAGS, ...WITHIN_FLAGS].map(([name, flag]) => [name, flag.split(' ')[0] ?? flag]),
  ...[
    ['keepTag', '--keep-tag'],
    ['minimumGood', '--minimum-good'],
    ['zone', '--zone'],
    ['policy', '--policy'],
  ],
]);

export function addPolicyFlags(command: Command): Command {
  command.optionsGroup('What stays (a restore point stays when any of these wants it):');
  for (const [, flag, description] of COUNT_FLAGS) command.option(flag, description);
  for (const [, flag, description] of WITHIN_FLAGS) command.option(flag, description);
  return command
    .option('--keep-tag <tags>', 'what has this tag, or all of these: a,b; may be given several times', collect)
    .option('--minimum-good <n>', 'so many newest good ones stay whatever the rules say; default: 1')
    .option('--zone <name>', 'whose days and weeks count: Europe/Berlin; needed unless the policy is in a file')
    .option('--policy <file>', 'all of this as a JSON file: {"timezone":"Europe/Berlin","keepDaily":7}')
    .optionsGroup('Options:');
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

/** From the flags or from the file, never a mixture. Throws CLI_USAGE, REPO_RETENTION_EMPTY, REPO_RETENTION_INVALID, REPO_TIMEZONE_UNKNOWN. */
export async function readPolicy(flags: PolicyFlags, cwd: string, options: CallOptions = {}): Promise<RetentionPolicy> {
  const { policy: file, zone, ...rules } = flags;
  if (file !== undefined) {
    const names = [...COUNT_FLAGS, ...WITHIN_FLAGS].map(([name]) => name);
    if (zone !== undefined || rules.keepTag || rules.minimumGood !== undefined || names.some((name) => rules[name] !== undefined))
      throw usageError('--policy and single rules exclude each other', 'write everything into the file, or nothing');
    return parseRetentionPolicy(await readJson(resolve(cwd, file), options));
  }
  const policy = fromFlags(flags);
  if (zone === undefined) {
    parseRetentionPolicy({ ...policy, timezone: 'UTC' }); // an empty policy is the worse mistake: told first
    throw usageError('no time zone is named', 'say whose days and weeks count with --zone Europe/Berlin or --zone UTC');
  }
  return parseRetentionPolicy({ ...policy, timezone: zone });
}

function fromFlags(flags: PolicyFlags): object {
  const counts = COUNT_FLAGS.flatMap(([name]) => (flags[name] === undefined ? [] : [[name, countOf(flags[name])]]));
  const spans = WITHIN_FLAGS.flatMap(([name]) => (flags[name] === undefined ? [] : [[name, flags[name]]]));
  return {
    ...Object.fromEntries([...counts, ...spans]),
    ...(flags.keepTag && { keepTags: flags.keepTag.map((tags) => tags.split(',').filter((tag) => tag !== '')) }),
    ...(flags.minimumGood !== undefined && { minimumGood: countOf(flags.minimumGood) }),
  };
}

/** Anything but a number or `unlimited` goes on as text, for the policy to refuse by name. */
function countOf(text: string): number | string {
  return /^\d{1,9}$/.test(text) ? Number(text) : text;
}

async function readJson(path: string, options: CallOptions): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, { encoding: 'utf8', ...(options.signal && { signal: options.signal }) }));
  } catch (error) {
    if (isAbort(error)) throw error;
    throw usageError(
      `the retention policy ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      'give a JSON file with a timezone and at least one rule',
      error,
    );
  }
}
