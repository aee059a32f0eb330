import { type CallOptions, Scope } from '@onevault/base';
import { doctorFacts } from '@onevault/composition';
import { type DoctorDeps, type Finding, runDoctor } from '@onevault/orchestrator';
import { checkProxyStorage, fixProxyStorage } from '@onevault/proxy-attach';
import { Command } from 'commander';
import type { CommandContext, RunCommand } from '../command-context.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { remoteDoctor } from '../remote/standing.ts';
import { countFindings, doctorLine, findingLines } from '../render/doctor-text.ts';

interface DoctorFlags {
  readonly fix?: boolean;
}

export function doctorCommand(run: RunCommand): Command {
  return new Command('doctor')
    .description('looks at everything a backup needs (cloud, rights, proxy, datastores, VMs, repository, clock, space) and says what to do; touches nothing')
    .option(
      '--fix',
      "make the proxy machine leave guests' disks alone: writes the LVM, multipath, RAID and udev settings it finds missing, and keeps what was there",
    )
    .action((flags: DoctorFlags, sub: Command) =>
      run(
        sub,
        (context) => doctor(context, flags),
        (context) => remoteDoctor(context, flags),
      ),
    );
}

async function doctor(context: CommandContext, flags: DoctorFlags): Promise<ExitCode> {
  const { output, settings, signal } = context;
  const fix = flags.fix === true ? await fixStorage(settings.proxyRoot, context, { signal }) : undefined;
  const findings: Finding[] = [];
  await using scope = new Scope();
  for await (const finding of runDoctor(doctorDeps(context, scope), { signal })) {
    findings.push(finding);
    for (const line of findingLines(finding, output.color)) output.line(line);
    if (output.mode === 'jsonl') output.document('doctor.finding', { finding });
  }
  const counts = countFindings(findings);
  output.line(doctorLine(counts));
  output.document('doctor', { ...(output.mode === 'json' && { findings }), summary: counts, ...(fix && { fix }) });
  if (counts.problem > 0) return EXIT.partial;
  return counts.warning + counts.unknown > 0 ? EXIT.degraded : EXIT.ok;
}

async function fixStorage(root: string, { output }: CommandContext, options: CallOptions): Promise<Awaited<ReturnType<typeof fixProxyStorage>>> {
  const fix = await fixProxyStorage(root, await checkProxyStorage(root, options), options);
  for (const { path, backup } of fix.changed) output.line(`written: ${path}${backup === undefined ? '' : ` (what was there is in ${backup})`}`);
  for (const { code, why } of fix.refused) output.warn(`${code} is not settled: ${why}`);
  if (fix.changed.length === 0) output.line('nothing to write');
  else output.line('run `udevadm control --reload` and restart multipathd and lvm2 services that run, or the machine, for them to take it up');
  return fix;
}

/** What the doctor opens is given back when `scope` ends; the repository by the check that opened it. */
function doctorDeps({ compose, settings, clock }: CommandContext, scope: Scope): DoctorDeps {
  const facts = doctorFacts(settings, clock);
  return {
    ...facts,
    clock,
    openCloud: async (options) => scope.use(await compose.openCloud({ ...options, onServerTime: facts.onServerTime })),
    journals: compose.journals(),
    openRepository: settings.repo === undefined ? undefined : (options) => compose.openRepository(options),
  };
}
