import type { StatsFs } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { parseStoreUrl } from '@onevault/backup-format';
import { type CallOptions, errorCode, Scope } from '@onevault/base';
import { findProxyVm } from '@onevault/composition';
import { type DoctorDeps, type Finding, runDoctor, type Volume } from '@onevault/orchestrator';
import { checkProxyStorage, chooseIdentification, fixProxyStorage, type StorageFinding } from '@onevault/proxy-attach';
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
  let frontEnd: { readonly theirs: Date; readonly ours: Date } | undefined;
  return {
    clock,
    openCloud: async (options) => {
      const onServerTime = (theirs: Date): void => {
        frontEnd = { theirs, ours: clock.now() };
      };
      return scope.use(await compose.openCloud({ ...options, onServerTime }));
    },
    frontEndTime: () => frontEnd,
    findProxy: (cloud, options) => findProxyVm(settings, cloud, options),
    identification: (version) => identificationText(chooseIdentification(version, settings.identification)),
    storage: (options): Promise<readonly StorageFinding[]> => checkProxyStorage(settings.proxyRoot, options),
    journals: compose.journals(),
    openRepository: settings.repo === undefined ? undefined : (options) => compose.openRepository(options),
    volumes: () => volumes(settings),
  };
}

function identificationText({ bus, serialReachesGuest, byDifference }: ReturnType<typeof chooseIdentification>): string {
  const ways = [
    serialReachesGuest ? 'by a serial of ours' : undefined,
    bus === 'sd' ? 'by their SCSI address' : undefined,
    byDifference ? 'at worst by what came' : undefined,
  ];
  return `${ways.filter((way) => way !== undefined).join(' and ')} (bus ${bus})`;
}

const MIB = 1024 * 1024;

/** The state directory, whose journal no run can do without, and a repository on a file system. */
function volumes({ stateDir, repo }: CommandContext['settings']): Promise<Volume[]> {
  const places = [{ use: 'state directory', path: stateDir, neededBytes: 16 * MIB }];
  const address = repo === undefined ? undefined : parseStoreUrl(repo);
  if (address?.kind === 'file') places.push({ use: 'repository', path: address.path, neededBytes: 512 * MIB });
  return Promise.all(
    places.map(async (place) => {
      const { bavail, blocks, bsize } = await statfsOfNearest(place.path);
      return { ...place, freeBytes: bavail * bsize, totalBytes: blocks * bsize };
    }),
  );
}

/** Of the directory, or where it would be made. */
async function statfsOfNearest(path: string): Promise<StatsFs> {
  try {
    return await statfs(path);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT' || dirname(path) === path) throw error;
    return statfsOfNearest(dirname(path));
  }
}
