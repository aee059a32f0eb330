import { isRepositoryError, type ObjectStore, type Repository, type RepositorySecret, type RestorePoint } from '../../src/index.ts';
import { Crash } from '../../testing/index.ts';
import { difference, type ModelDisk, scanModelDisk } from './model-disk.ts';
import type { ModelKeys } from './model-keys.ts';
import type { Process } from './scheduler.ts';
import { type Truth, Violation } from './truth.ts';

/** One repository of the model with what must be in it. */
export interface Side {
  readonly name: string;
  readonly truth: Truth;
  readonly store: ObjectStore;
  /** Of an encrypted one. */
  readonly keys: ModelKeys | undefined;
}

/** What a program of the model works with: a process that has just started. */
export interface ProgramContext {
  readonly process: Process;
  /** `used` hears with which secret an encrypted one was opened, anew. */
  open(side: Side, used?: (secret: RepositorySecret) => void): Promise<Repository>;
}

export type Program = (context: ProgramContext) => Promise<void>;

/** Runs a program; errors that a process of its fate may meet are how it ends, all others break a promise. */
export async function runProgram(context: ProgramContext, program: Program): Promise<void> {
  try {
    await program(context);
  } catch (error) {
    if (!isExpected(error, context.process))
      throw error instanceof Violation ? error : new Violation(`${context.process.name} failed: ${String(error)}`, { cause: error });
  }
}

function isExpected(error: unknown, process: Process): boolean {
  if (error instanceof Crash) return process.dead;
  if (isRepositoryError(error, 'REPO_STORE_FAILED')) return process.fate.fault !== undefined;
  return isRepositoryError(error, 'REPO_LOCK_LOST', 'REPO_LOCKED');
}

export interface BackupChoice {
  readonly group: string;
  readonly disks: ReadonlyMap<string, ModelDisk>;
  readonly incremental: boolean;
  readonly confirmDedup: boolean;
  readonly together: boolean;
}

export function backup(side: Side, choice: BackupChoice): Program {
  return async (context) => {
    const repository = await context.open(side);
    const parent = choice.incremental ? await newestPoint(repository, choice.group) : undefined;
    const { group, disks } = choice;
    const parentIsThere = side.truth.watch(parent?.id ?? '');
    const mode = parent ? 'incremental' : 'full';
    await using writer = await repository.begin({ group, runId: 'model', capturedAt: '2026-11-22T19:00:00Z', mode, ...(parent && { parentId: parent.id }) });
    side.truth.writing(writer.id, group, disks);
    try {
      const writes = [...disks].map(([key, disk]) => async () => {
        const before = parent?.disks.some((stored) => stored.key === key) ? await repository.openDisk(parent, key) : undefined;
        await writer.writeDisk(
          { key, sizeBytes: disk.sizeBytes, confirmDedup: choice.confirmDedup, ...(before && { parent: before }) },
          scanModelDisk(disk, repository.digest, before),
        );
      });
      await inTurn(choice.together, writes);
      await writer.writeMetadata('vm.xml', Buffer.from(`<VM>${group}</VM>`));
      await writer.commit({ annotations: {} });
      side.truth.settle(writer.id, 'committed');
    } catch (error) {
      side.truth.settle(writer.id, 'unsettled');
      if (isRepositoryError(error, 'REPO_POINT_NOT_FOUND') && parent && !parentIsThere()) return; // forgotten meanwhile
      throw error;
    }
  };
}

async function inTurn(together: boolean, work: readonly (() => Promise<void>)[]): Promise<void> {
  if (together) await Promise.all(work.map((one) => one()));
  else for (const one of work) await one();
}

async function newestPoint(repository: Repository, group: string): Promise<RestorePoint | undefined> {
  let newest: RestorePoint | undefined;
  for await (const listed of repository.points({ group })) {
    if (listed.kind === 'damaged') throw listed.error;
    newest = listed.point;
  }
  return newest;
}

/** Refusals are answers: a held point, the last good one, one that another process has forgotten. */
export function forget(side: Side, id: string, evenLast: boolean): Program {
  return async (context) => {
    const repository = await context.open(side);
    const point = side.truth.points.get(id);
    const end = side.truth.forgetting(id, context.process.fate.pause !== undefined);
    try {
      await repository.forgetPoint(id, { evenLast });
    } catch (error) {
      const refused = isRepositoryError(error, 'REPO_POINT_HELD', 'REPO_POINT_LAST_GOOD');
      end(refused ? 'refused' : 'failed');
      if (!refused && !isRepositoryError(error, 'REPO_POINT_NOT_FOUND')) throw error;
      return;
    }
    if (point?.held && !point.excused) throw new Violation(`the held point ${id} was forgotten`);
    end('forgotten');
  };
}

export function hold(side: Side, id: string): Program {
  return async (context) => {
    const repository = await context.open(side);
    const mustBeThere = side.truth.watch(id);
    const point = side.truth.points.get(id);
    const releases = point?.releasing === 0 ? point.releases : undefined;
    try {
      await repository.marks.hold(id, { reason: 'the model', by: context.process.name });
    } catch (error) {
      if (isRepositoryError(error, 'REPO_POINT_NOT_FOUND') && !mustBeThere()) return;
      throw error;
    }
    if (point?.state === 'gone') throw new Violation(`the point ${id} was held after it was forgotten`);
    if (point && point.releases === releases) point.held = true;
  };
}

export function release(side: Side, id: string): Program {
  return async (context) => {
    const repository = await context.open(side);
    const point = side.truth.points.get(id);
    if (!point) return;
    const mustBeThere = side.truth.watch(id);
    point.held = false;
    const before = point.releasing === 0 ? point.releases : undefined;
    point.releases += 1;
    point.releasing += 1;
    const isAlone = (): boolean => before !== undefined && point.releases === before + 1;
    try {
      for await (const marks of repository.marks.list({ pointId: id })) {
        const holds = marks.holds.map((standing) => standing.id);
        await repository.marks.release(id, holds);
      }
    } catch (error) {
      if (!isRepositoryError(error, 'REPO_HOLD_NOT_FOUND') || (isAlone() && mustBeThere())) throw error; // else somebody else was quicker
    } finally {
      point.releasing -= 1;
    }
  };
}

/** While others work; a point may be forgotten under the reader, and only then may reading fail. */
export function restore(side: Side, id: string): Program {
  return async (context) => {
    const repository = await context.open(side);
    const point = side.truth.points.get(id);
    const mustBeThere = side.truth.watch(id);
    try {
      const listed = await repository.point(id);
      for (const [key, disk] of point?.disks ?? []) {
        const wrong = await difference(disk, await repository.openDisk(listed, key));
        if (wrong !== undefined) throw new Violation(`disk ${key} of ${id} ${wrong}`);
      }
    } catch (error) {
      if (mustBeThere() || error instanceof Violation || !isRepositoryError(error)) throw error;
    }
  };
}

/** Reads again and again under a lease: whatever is forgotten and collected meanwhile, what the lease names can be read as long as it is held. */
export function serve(side: Side, id: string, between: () => Promise<void> = async () => undefined): Program {
  return async (context) => {
    const repository = await context.open(side);
    const mustBeThere = side.truth.watch(id);
    try {
      const listed = await repository.point(id);
      await using lease = await repository.leaseForReading(listed, 'the model');
      // Who was stopped may have lost it without knowing yet.
      const isHeld = (): boolean => !lease.signal.aborted && context.process.fate.pause === undefined;
      for (let round = 0; round < 3; round++) {
        await readUnderLease(repository, listed, side, isHeld);
        await between();
      }
    } catch (error) {
      if (mustBeThere() || error instanceof Violation || !isRepositoryError(error)) throw error;
    }
  };
}

async function readUnderLease(repository: Repository, listed: RestorePoint, side: Side, isHeld: () => boolean): Promise<void> {
  try {
    for (const [key, disk] of side.truth.points.get(listed.id)?.disks ?? []) {
      const wrong = await difference(disk, await repository.openDisk(listed, key));
      if (wrong !== undefined) throw new Violation(`disk ${key} of ${listed.id} ${wrong}`);
    }
  } catch (error) {
    if (!isRepositoryError(error) || isRepositoryError(error, 'REPO_STORE_FAILED') || !isHeld()) throw error;
    throw new Violation(`what a lease names cannot be read: ${String(error)}`, { cause: error });
  }
}

/** Damage is a violation unless every point it touches was forgotten meanwhile. */
export function verify(side: Side, mode: 'structure' | 'all'): Program {
  return async (context) => {
    const repository = await context.open(side);
    const watched = new Map(side.truth.idsOf('committed').map((id) => [id, side.truth.watch(id)]));
    const run = repository.verify({ mode, record: false });
    for (let step = await run.next(); !step.done; step = await run.next()) {
      const touched = step.value.affects.map(({ pointId }) => pointId).filter((id) => watched.get(id)?.());
      if (touched.length > 0) throw new Violation(`verify calls ${touched.join(', ')} damaged: ${String(step.value.error)}`, { cause: step.value.error });
    }
  };
}

/** `graceMs` may be anything: leases alone make it safe beside writers, the grace is for readers and for whoever changes his mind. */
export function collectGarbage(side: Side, options: { readonly graceMs: number; readonly repackBelow: number; readonly wait: boolean }): Program {
  return async (context) => {
    await (await context.open(side)).collectGarbage(options);
  };
}

export function repair(side: Side): Program {
  return async (context) => {
    await (await context.open(side)).repair();
  };
}

/** Puts another secret in the place of the one that it was opened with, or adds one and takes away an old one; whoever is slower finds that gone. */
export function changeKeys(side: Side, add: boolean): Program {
  return async ({ open }) => {
    const { keys } = side;
    if (!keys) return;
    let current: RepositorySecret = keys.first;
    const repository = await open(side, (secret) => {
      current = secret;
    });
    const next = keys.make();
    keys.mayOpen(next);
    try {
      if (add) await repository.keys?.add(next);
      else {
        await repository.keys?.replace(next);
        keys.retired(current);
      }
    } catch (error) {
      if (!isRepositoryError(error, 'REPO_KEY_NOT_FOUND', 'REPO_KEY_LAST')) throw error;
    }
  };
}

/** One process with several things to do, that keeps its repositories open in between. */
export function oneAfterTheOther(programs: readonly Program[]): Program {
  return async (context) => {
    const opened = new Map<Side, Promise<Repository>>();
    const open: ProgramContext['open'] = (side, used) => {
      if (used) return context.open(side, used);
      const known = opened.get(side) ?? context.open(side);
      opened.set(side, known);
      return known;
    };
    for (const program of programs) await runProgram({ process: context.process, open }, program);
  };
}

export function copy(from: Side, to: Side, points: readonly string[] | undefined, full: boolean): Program {
  return async (context) => {
    const source = await context.open(from);
    const target = await context.open(to);
    const wanted = points ?? from.truth.idsOf('committed');
    for (const id of wanted) {
      const point = from.truth.points.get(id);
      if (point) to.truth.writing(id, point.group, point.disks);
    }
    const copied = to.truth.copying(wanted);
    const watched = new Map(wanted.map((id) => [id, from.truth.watch(id)]));
    try {
      const run = source.copyTo(target, { points: wanted, full });
      for (let step = await run.next(); !step.done; step = await run.next()) settleCopy(to, step.value, watched);
    } catch (error) {
      if (!isRepositoryError(error, 'REPO_POINT_NOT_FOUND')) throw error; // forgotten before the copy began
    } finally {
      copied();
      unsettle(to, wanted);
    }
  };
}

function unsettle(side: Side, ids: readonly string[]): void {
  for (const id of ids) if (side.truth.points.get(id)?.state === 'writing') side.truth.settle(id, 'unsettled');
}

type CopyStep = Awaited<ReturnType<ReturnType<Repository['copyTo']>['next']>>;

function settleCopy(to: Side, outcome: Exclude<CopyStep['value'], { copied: number }>, watched: ReadonlyMap<string, () => boolean>): void {
  if (outcome.kind === 'copied') to.truth.settle(outcome.point.id, 'committed');
  if (outcome.kind === 'failed' && watched.get(outcome.pointId)?.())
    throw new Violation(`${outcome.pointId} could not be copied: ${String(outcome.error)}`, { cause: outcome.error });
}
