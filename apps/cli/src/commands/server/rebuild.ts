import { Secret } from '@onevault/base';
import type { RebuildReport } from '@onevault/server';
import { Command } from 'commander';
import type { CommandContext, RunCommand } from '../../command-context.ts';
import { EXIT, type ExitCode } from '../../exit.ts';
import { count } from '../../render/units.ts';

export function rebuildCommand(run: RunCommand): Command {
  return new Command('rebuild')
    .description('make the database anew from the settings, the audit log and the repositories; the server must not run')
    .action((_flags: object, sub: Command) => run(sub, rebuild, 'here'));
}

async function rebuild({ settings, around, clock, logger, output, signal }: CommandContext): Promise<ExitCode> {
  const databaseUrl = around.env['DATABASE_URL'] || undefined;
  const { rebuildServer } = await import('@onevault/server');
  const report = await rebuildServer({ settings, databaseUrl: databaseUrl === undefined ? undefined : new Secret(databaseUrl), clock, logger }, { signal });
  output.line(`policies: ${report.policies.join(', ') || 'none is set'}`);
  for (const { name, points, problem } of report.repositories) {
    if (problem === undefined) output.line(`repository ${name}: ${count(points, 'restore point')}`);
    else output.warn(`repository ${name} cannot be read: ${problem.message}; the server fills in its restore points when it is back`);
  }
  if (report.audit.intact) output.line(`audit: ${count(report.audit.records, 'record')}, none missing or changed`);
  else output.warn(`audit: the log is not what was written, after ${count(report.audit.records, 'record')}`);
  if (report.runs > 0) output.line(`runs: ${count(report.runs, 'last good backup')} listed again; older runs, and what waited by hand, are lost`);
  if (!report.hasSchedules) output.warn('where schedules were is taken from restore points: what waited for its turn comes with the next run');
  if (report.setAside !== undefined) output.note(`the database of before, with its list of runs, is at ${report.setAside}`);
  output.document('server.rebuilt', documentOf(report));
  return report.repositories.some(({ problem }) => problem !== undefined) || !report.audit.intact ? EXIT.partial : EXIT.ok;
}

function documentOf({ policies, repositories, audit, runs, hasSchedules, setAside }: RebuildReport): object {
  return {
    policies,
    repositories: repositories.map(({ name, points, problem }) => ({ name, points, problem: problem ?? null })),
    audit,
    runs,
    hasSchedules,
    setAside: setAside ?? null,
  };
}
