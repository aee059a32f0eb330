import { type Clock, silentLogger } from '@onevault/base';
import { type BackupPolicy, type CompiledPolicy, compilePolicy, parsePolicy } from '@onevault/policies';
import { vmFacts } from '@onevault/policies/testing';
import { describe, expect, it } from 'vitest';
import type { InventoryVm } from '../../src/ports/inventory.ts';
import { ProtectionBoard } from '../../src/protection/protection-board.ts';
import { WriteBack } from '../../src/protection/write-back.ts';
import { NO_SETTINGS } from '../catalog/catalog-lab.ts';

const HOUR = 3_600_000;
const NOBODY = { use: false, manage: false, admin: false };

function policy(overrides: object = {}): CompiledPolicy<BackupPolicy> {
  const document = {
    kind: 'backup',
    name: 'nightly',
    repository: 'main',
    timezone: 'UTC',
    select: { include: ['label=prod'] },
    schedules: [{ at: 'daily' }],
    rpo: '26h',
    ...overrides,
  };
  return compilePolicy(parsePolicy(document), 0) as CompiledPolicy<BackupPolicy>;
}

function vmOf(id: number, attributes: Readonly<Record<string, string>> = {}, labels = ['prod']): InventoryVm {
  const owned = { uid: 0, gid: 0, permissions: { owner: NOBODY, group: NOBODY, other: NOBODY }, lock: undefined };
  return { facts: vmFacts({ id, labels, attributes }), owned, clusterId: 0, hostId: 0, datastoreIds: [], diskCount: 1, exists: true };
}

/** A cloud of hand-made VMs; `captured` is when each was backed up last. */
class Stage {
  nowMs = Date.UTC(2026, 10, 27);
  asked = 0;
  slept = 0;
  vms: InventoryVm[] = [];
  readonly captured = new Map<number, number>();
  settings = { ...NO_SETTINGS, backupPolicies: [policy()] };
  readonly written: { readonly id: number; readonly attributes: Readonly<Record<string, string>> }[] = [];
  refuse = new Set<number>();
  readonly clock: Clock = {
    now: () => new Date(this.nowMs),
    monotonicMs: () => this.nowMs,
    sleep: async (ms) => {
      this.slept += ms;
    },
  };
  readonly deps = {
    inventory: { vms: () => this.vms, vm: (id: number) => this.vms.find(({ facts }) => facts.id === id), refreshedAt: new Date(0) },
    catalog: {
      ofVm: (id: number) => {
        this.asked++;
        const capturedMs = this.captured.get(id);
        const newest = capturedMs === undefined ? undefined : ({ capturedAt: new Date(capturedMs) } as never);
        return {
          count: newest ? 1 : 0,
          storedBytes: 0,
          newest,
          newestGood: () => (capturedMs === undefined ? undefined : { capturedMs, pointId: 'p', repository: 'main' }),
        };
      },
    },
    settings: { current: () => this.settings },
    clock: this.clock,
    logger: silentLogger,
    cloud: {
      updateVm: async (id: number, attributes: Readonly<Record<string, string>>) => {
        if (this.refuse.has(id)) throw new Error('locked');
        this.written.push({ id, attributes });
      },
    },
  };
  readonly board = new ProtectionBoard(this.deps);
  readonly writeBack = new WriteBack({ ...this.deps, board: this.board });
}

describe('the protection of a VM', () => {
  it('that serves backups itself is not asked for: it is excluded, and no failing', () => {
    const stage = new Stage();
    const [vm] = [vmOf(1)];
    stage.vms = [{ ...vm, facts: { ...vm.facts, servesAs: 'proxy VM of onevault' } }];
    expect(stage.board.of(1)).toEqual({ state: 'excluded', reason: 'proxy VM of onevault' });
  });

  it('is worked out once, and again when its time has run out, its points, itself or the policies change', () => {
    const stage = new Stage();
    stage.vms = [vmOf(1), vmOf(2)];
    stage.captured.set(1, stage.nowMs - HOUR);
    expect(stage.board.of(1)).toMatchObject({ state: 'protected', policies: ['nightly'] });
    expect(stage.board.of(2)).toMatchObject({ state: 'unprotected', reason: 'no-restore-point' });
    const asked = stage.asked;
    stage.nowMs += 24 * HOUR;
    expect([stage.board.of(1).state, stage.board.of(2).state]).toEqual(['protected', 'unprotected']);
    expect(stage.asked).toBe(asked);
    stage.nowMs += 2 * HOUR;
    expect(stage.board.of(1)).toMatchObject({ state: 'out-of-rpo', lateMs: HOUR });
    stage.nowMs += HOUR;
    expect(stage.board.of(1)).toMatchObject({ state: 'out-of-rpo', lateMs: 2 * HOUR });
    expect(stage.asked).toBe(asked + 1);
    stage.captured.set(1, stage.nowMs);
    stage.board.forget(new Set([1]));
    expect(stage.board.of(1).state).toBe('protected');
    stage.vms = [vmOf(1, { ONEVAULT_EXCLUDE: 'scratch' }), vmOf(2)];
    expect(stage.board.of(1)).toEqual({ state: 'excluded', reason: 'scratch' });
    stage.settings = { ...NO_SETTINGS, backupPolicies: [] };
    expect(stage.board.of(2)).toMatchObject({ state: 'unprotected', reason: 'no-policy' });
    stage.vms = [{ ...vmOf(1), exists: false }];
    stage.settings = { ...NO_SETTINGS, backupPolicies: [policy()] };
    expect(stage.board.of(1)).toMatchObject({ reason: 'no-policy' });
    expect(stage.board.of(77)).toMatchObject({ state: 'unprotected' });
  });
});

describe('writing it back', () => {
  it('is done where a policy says so, only when it changes, one VM a second, and never for what the VM says already', async () => {
    const stage = new Stage();
    const says = { ONEVAULT_PROTECTION: 'protected', ONEVAULT_LAST_BACKUP: '2026-11-26T23:00:00Z' };
    stage.vms = [vmOf(1, says), vmOf(2), vmOf(3), vmOf(4, {}, ['test'])];
    stage.captured.set(1, stage.nowMs - HOUR).set(2, stage.nowMs - HOUR);
    expect(await stage.writeBack.writeAll()).toBe(0); // no policy wants it, and what VM 1 says is true
    stage.settings = { ...NO_SETTINGS, backupPolicies: [policy({ writeBack: true })] };
    expect(await stage.writeBack.writeAll()).toBe(2);
    expect(stage.slept).toBe(1000);
    expect(stage.written).toEqual([
      { id: 2, attributes: says },
      { id: 3, attributes: { ONEVAULT_PROTECTION: 'unprotected', ONEVAULT_LAST_BACKUP: 'never' } },
    ]);
    expect(await stage.writeBack.writeAll()).toBe(0); // the inventory has not seen it yet
    stage.vms = [vmOf(1, says), vmOf(2, says), vmOf(3, { ONEVAULT_PROTECTION: 'unprotected', ONEVAULT_LAST_BACKUP: 'never' })];
    expect(await stage.writeBack.writeAll()).toBe(0);
    stage.nowMs += 30 * HOUR;
    expect(await stage.writeBack.writeAll()).toBe(2);
    expect(stage.written.slice(2).map(({ attributes }) => attributes['ONEVAULT_PROTECTION'])).toEqual(['out-of-rpo', 'out-of-rpo']);
  });

  it('goes on where it was once begun, so that no VM tells what is no longer true, and leaves alone for an hour what refuses', async () => {
    const stage = new Stage();
    stage.settings = { ...NO_SETTINGS, backupPolicies: [] };
    stage.vms = [vmOf(1, { ONEVAULT_PROTECTION: 'protected' })];
    stage.refuse.add(1);
    expect(await stage.writeBack.writeAll()).toBe(1);
    stage.refuse.clear();
    expect(await stage.writeBack.writeAll()).toBe(0);
    stage.nowMs += HOUR + 1;
    expect(await stage.writeBack.writeAll()).toBe(1);
    expect(stage.written).toEqual([{ id: 1, attributes: { ONEVAULT_PROTECTION: 'unprotected', ONEVAULT_LAST_BACKUP: 'never' } }]);
  });
});
