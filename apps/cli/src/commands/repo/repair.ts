import type { RepairReport } from '@onevault/backup-format';
import { Command } from 'commander';
import type { CommandContext, RunCommand } from '../../command-context.ts';
import { EXIT, type ExitCode } from '../../exit.ts';
import { printable } from '../../render/table.ts';
import { count } from '../../render/units.ts';

interface RepairFlags {
  readonly dryRun?: boolean;
}

export function repairCommand(run: RunCommand): Command {
  return new Command('repair')
    .description('make everything that can still be read reachable again: index, broken packs, damaged manifests; run verify before it, and after')
    .option('-n, --dry-run', 'say what would be done, write nothing')
    .action((flags: RepairFlags, sub: Command) => run(sub, (context) => runRepair(context, flags.dryRun ?? false)));
}

async function runRepair({ compose, output, signal }: CommandContext, dryRun: boolean): Promise<ExitCode> {
  await using repository = await compose.openRepository({ signal });
  const report = await repository.repair({ signal, dryRun });
  for (const line of repairLines(report)) output.line(printable(line));
  output.line(
    `repair result=${dryRun ? 'dry-run' : 'ok'} packs=${report.packs} listed=${report.listedChunks} relisted=${report.relistedChunks} mended=${report.mendedChunks} quarantined=${report.quarantined.length} tables-removed=${report.removedTables.length} manifests-set-aside=${report.setAside.length}`,
  );
  output.document('repo.repair', report);
  return EXIT.ok;
}

function repairLines(report: RepairReport): string[] {
  const would = report.dryRun ? 'would be ' : '';
  return [
    ...report.quarantined.map(
      ({ key, savedChunks }) => `${would}quarantined: ${key}: ${count(savedChunks, 'whole chunk')} stored again, the pack stays where it is`,
    ),
    ...report.removedTables.map((key) => `${would}removed: ${key}: a damaged index table; what it listed is in others`),
    ...report.setAside.map(({ key, to }) => `${would}set aside: ${key}: a damaged manifest, now ${to}`),
  ];
}
