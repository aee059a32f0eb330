import type { Damage, Repository, RestorePoint, VerifyMode, VerifyReport } from '@onevault/backup-format';
import { errorCode, serializeError } from '@onevault/base';
import { diskFacts, pointVm } from '@onevault/composition';
import { Command } from 'commander';
import type { CommandContext, RunCommand } from '../command-context.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { remoteVerify } from '../remote/verify.ts';
import { damageLines, type PointName } from '../render/damage-text.ts';
import { Rate } from '../render/disk-rates.ts';
import { progressView } from '../render/progress-view.ts';
import { compactBytes, compactDuration } from '../render/units.ts';
import { parseSeed, parseVerifyMode } from './verify-mode.ts';

interface VerifyFlags {
  readonly mode: VerifyMode;
  readonly seed?: string;
}

export function verifyCommand(run: RunCommand): Command {
  return new Command('verify')
    .description('check what a restore could need; names what is damaged, to the byte range. The next backups store it again')
    .option('--mode <mode>', 'structure, sample=<percent>% or all: no chunk data, a share of it (longest unread first), or everything', parseVerifyMode, 'all')
    .option('--seed <hex>', 'repeat the sample that printed it', parseSeed)
    .action(({ mode, seed }: VerifyFlags, sub: Command) =>
      run(
        sub,
        async (context) => (await runVerify(context, withSeed(mode, seed))).exitCode,
        (context) => remoteVerify(context, mode),
      ),
    );
}

/** `repo check`: the structure alone. */
export function checkCommand(run: RunCommand): Command {
  return new Command('check')
    .description('check structure: every object, size and reference, without reading chunk data (verify --mode structure)')
    .action((_flags: object, sub: Command) => run(sub, async (context) => (await runVerify(context, 'structure')).exitCode));
}

function withSeed(mode: VerifyMode, seed: string | undefined): VerifyMode {
  return typeof mode === 'object' && seed !== undefined ? { ...mode, seed } : mode;
}

export interface VerifyOutcome {
  readonly exitCode: ExitCode;
  readonly report: VerifyReport;
  readonly damages: readonly Damage[];
  readonly durationMs: number;
}

export async function runVerify(context: CommandContext, mode: VerifyMode = 'all'): Promise<VerifyOutcome> {
  const { compose, output, clock, signal } = context;
  await using repository = await compose.openRepository({ signal });
  const startedMs = clock.monotonicMs();
  const damages: Damage[] = [];
  const { report, names } = await readThrough(context, repository, mode, (damage) => damages.push(damage));
  const durationMs = clock.monotonicMs() - startedMs;
  for (const damage of damages) for (const line of damageLines(damage, (id) => names.get(id))) output.line(line);
  const result = damages.length > 0 ? 'damaged' : 'ok';
  output.line(
    `verify result=${result} points=${report.points} packs=${report.packs} chunks=${report.chunks} ${modeText(report)} read=${compactBytes(report.readBytes)} ${healedText(report)}damaged=${report.damaged} duration=${compactDuration(durationMs)}`,
  );
  output.document('verify.result', { result, ...report, durationMs, damages: damages.map((damage) => damageDocument(damage, names)) });
  return { exitCode: damages.length > 0 ? EXIT.damage : EXIT.ok, report, damages, durationMs };
}

function modeText({ mode, sample, checkedChunks }: VerifyReport): string {
  return sample === undefined ? `mode=${mode}` : `mode=${mode} percent=${sample.percent} seed=${sample.seed} checked=${checkedChunks}`;
}

function healedText({ harmless, healed }: VerifyReport): string {
  return `${harmless > 0 ? `harmless=${harmless} ` : ''}${healed > 0 ? `healed=${healed} ` : ''}`;
}

async function readThrough(
  { output, clock, signal }: CommandContext,
  repository: Repository,
  mode: VerifyMode,
  found: (damage: Damage) => void,
): Promise<{ readonly report: VerifyReport; readonly names: ReadonlyMap<string, PointName> }> {
  const names = await pointNames(repository, signal);
  using view = progressView(output, clock);
  const rate = new Rate();
  const progress = ({ doneBytes, totalBytes }: { readonly doneBytes: number; readonly totalBytes: number }): void =>
    view.show({
      label: 'repository',
      phase: 'verify',
      doneBytes,
      totalBytes,
      bytesPerSecond: rate.at(clock.monotonicMs(), doneBytes),
      changedBytes: undefined,
      storedBytes: undefined,
    });
  const report = await drain(repository.verify({ signal, mode, onProgress: progress }), (damage) => {
    view.log(`  damage: ${damage.key} (${errorCode(damage.error) ?? damage.error.name})`);
    found(damage);
  });
  return { report, names };
}

async function drain(findings: ReturnType<Repository['verify']>, found: (damage: Damage) => void): Promise<VerifyReport> {
  for (;;) {
    const next = await findings.next();
    if (next.done === true) return next.value;
    found(next.value);
  }
}

/** Damage names points and disks by key; people know VMs and targets. */
async function pointNames(repository: Repository, signal: AbortSignal): Promise<Map<string, PointName>> {
  const names = new Map<string, PointName>();
  for await (const listed of repository.points({}, { signal })) if (listed.kind === 'point') names.set(listed.point.id, nameOf(listed.point));
  return names;
}

function nameOf(point: RestorePoint): PointName {
  const disks = new Map(point.disks.map((disk) => [disk.key, diskFacts(disk)]));
  return { vm: pointVm(point), capturedAt: point.capturedAt, disk: (key) => disks.get(key) };
}

function damageDocument(damage: Damage, names: ReadonlyMap<string, PointName>): object {
  return {
    key: damage.key,
    harmless: damage.harmless,
    error: serializeError(damage.error),
    affects: damage.affects.map((affected) => ({
      ...affected,
      vm: names.get(affected.pointId)?.vm ?? null,
      diskId: (affected.diskKey === undefined ? undefined : names.get(affected.pointId)?.disk(affected.diskKey)?.diskId) ?? null,
    })),
  };
}
