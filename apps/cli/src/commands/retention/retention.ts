import { applyRetention, forgottenBy, planRetention, type Repository, type RetentionOutcome, type RetentionPlan } from '@onevault/backup-format';
import { Command } from 'commander';
import type { CommandContext, RunCommand } from '../../command-context.ts';
import { confirm } from '../../confirm.ts';
import { CliError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit.ts';
import { retentionPreview } from '../../remote/policies.ts';
import { printable } from '../../render/table.ts';
import { count } from '../../render/units.ts';
import { parseDate } from '../../select/date-argument.ts';
import { groupLines, planDocument } from './plan-view.ts';
import { addPolicyFlags, type PolicyFlags, readPolicy } from './policy-flags.ts';
import { VmNames } from './vm-names.ts';

interface RetentionFlags extends PolicyFlags {
  readonly vm?: string;
  readonly for?: string;
  readonly at?: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

export function retentionCommand(run: RunCommand): Command {
  const command = new Command('retention').description('which restore points stay, by rules; needs no OpenNebula');
  addPolicyFlags(command.command('preview'))
    .option('--vm <vm>', 'only this one: id, name or group')
    .option('--at <date>', 'as of 2027-01-01 (the end of that day in UTC) or 2027-01-01T06:00:00Z; default: now')
    .option('--for <policy>', 'through a server: the rules of its policy of that name')
    .description('what a policy would keep and forget, with the reasons; changes nothing')
    .action((flags: RetentionFlags, sub: Command) =>
      run(
        sub,
        (context) => runRetention(context, { ...flags, dryRun: true }),
        (context) => retentionPreview(context, flags),
      ),
    );
  addPolicyFlags(command.command('apply'))
    .option('--vm <vm>', 'only this one: id, name or group')
    .option('--dry-run', 'change nothing: what preview says of this moment')
    .option('-y, --yes', 'ask nothing, also on a terminal')
    .description('forget what a policy does not keep; repo gc gives the space back')
    .action((flags: RetentionFlags, sub: Command) => run(sub, (context) => runRetention(context, flags)));
  return command;
}

async function runRetention(context: CommandContext, flags: RetentionFlags): Promise<ExitCode> {
  const { compose, output, signal, clock, around } = context;
  const policy = await readPolicy(flags, around.cwd, { signal });
  const asOf = flags.at === undefined ? clock.now() : parseDate(flags.at, '--at');
  await using repository = await compose.openRepository({ signal });
  const names = new VmNames(flags.vm);
  const plan = ofVm(await planRetention(repository, policy, asOf, { signal, onPoint: names.note }), names, flags.vm);
  for (const group of plan.groups) for (const line of groupLines(group, names)) output.line(line);
  if (!flags.dryRun && !(await isWanted(context, plan, flags))) return EXIT.cancelled;
  const outcomes = flags.dryRun ? undefined : await apply(context, repository, plan, names);
  summarize(context, plan, outcomes);
  output.document(flags.dryRun ? 'retention.preview' : 'retention.apply', {
    ...planDocument(plan, names),
    ...(outcomes && { outcomes: outcomes.map(outcomeDocument) }),
  });
  return plan.groups.some(({ unreadable }) => unreadable.length > 0) || outcomes?.some(({ kind }) => kind === 'refused') ? EXIT.damage : EXIT.ok;
}

/** The groups of one VM, whole: also those restore points that it had under another name. */
function ofVm(plan: RetentionPlan, names: VmNames, vm: string | undefined): RetentionPlan {
  if (vm === undefined) return plan;
  const groups = plan.groups.filter(({ group }) => names.matching.has(group) || group === vm);
  if (groups.length > 0) return { ...plan, groups };
  throw new CliError({ code: 'CLI_POINT_NOT_FOUND', message: `there is no restore point of a VM ${vm}`, hint: 'onevault point list shows what there is' });
}

/** As many as this at once, or more than half of a VM's: a person is asked. */
const MANY = 20;

async function isWanted(context: CommandContext, plan: RetentionPlan, flags: RetentionFlags): Promise<boolean> {
  const counts = plan.groups.map((group) => ({ going: forgottenBy(group).length, all: group.selection.decisions.length }));
  const going = counts.reduce((sum, { going: one }) => sum + one, 0);
  if (flags.yes || (going < MANY && counts.every((one) => one.going * 2 <= one.all))) return true;
  const wanted = await confirm(context, `${count(going, 'restore point')} of ${count(counts.filter((one) => one.going > 0).length, 'VM')} will be forgotten.`);
  if (!wanted) context.output.note('nothing was forgotten');
  return wanted;
}

async function apply({ output, signal, logger }: CommandContext, repository: Repository, plan: RetentionPlan, names: VmNames): Promise<RetentionOutcome[]> {
  const outcomes: RetentionOutcome[] = [];
  for await (const outcome of applyRetention(repository, plan, { signal })) {
    outcomes.push(outcome);
    logger.info({ ...outcomeDocument(outcome) }, 'retention');
    const text = outcomeText(outcome, names);
    if (outcome.kind === 'forgotten') output.note(text);
    else output.warn(text);
  }
  await repository.marks.sweep({ signal });
  return outcomes;
}

const KEPT_WHY = { held: 'it is held', 'last-good': 'it is the last good one', changed: 'what is known of it has changed' } as const;

function outcomeText(outcome: RetentionOutcome, names: VmNames): string {
  const vm = printable(names.text(outcome.group));
  switch (outcome.kind) {
    case 'forgotten':
      return `forgot ${outcome.pointId} of ${vm}`;
    case 'kept':
      return `kept ${outcome.pointId} of ${vm}: ${KEPT_WHY[outcome.why]}`;
    case 'gone':
      return `${outcome.pointId} of ${vm} is gone already`;
    case 'refused':
      return `nothing of ${vm} was forgotten: ${outcome.unreadable.map(({ key }) => key).join(', ')} cannot be read; see to it, or point forget it by its id`;
  }
}

function outcomeDocument(outcome: RetentionOutcome): object {
  if (outcome.kind === 'refused') return { kind: outcome.kind, group: outcome.group, unreadable: outcome.unreadable.map(({ key }) => key) };
  const { kind, group, pointId } = outcome;
  return { kind, group, pointId, ...(outcome.kind === 'kept' && { why: outcome.why }) };
}

/** The one line a cron job keeps. */
function summarize({ output }: CommandContext, plan: RetentionPlan, outcomes: readonly RetentionOutcome[] | undefined): void {
  const all = plan.groups.reduce((sum, { selection, unreadable }) => sum + selection.decisions.length + unreadable.length, 0);
  const going = plan.groups.reduce((sum, group) => sum + forgottenBy(group).length, 0);
  const forgotten = outcomes?.filter(({ kind }) => kind === 'forgotten').length;
  const refused = plan.groups.filter(({ unreadable }) => unreadable.length > 0).length;
  const fields = { groups: plan.groups.length, points: all, ...(forgotten === undefined ? { would_forget: going } : { forgotten }), refused };
  output.line(
    `retention result=${refused > 0 ? 'damaged' : 'ok'} ${Object.entries(fields)
      .map(([name, value]) => `${name}=${value}`)
      .join(' ')}`,
  );
}
