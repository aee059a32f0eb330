import { flipBit, keysOf } from '@onevault/backup-format/testing';
import { isAbort } from '@onevault/base';
import { vmId } from '@onevault/one-client';
import { backupVm, drillVm, readDrillFacts } from '@onevault/orchestrator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectNoTrace, failureOf } from '../support/aftermath.ts';
import { DRILL_PREFIX, type DrillWorld, makeDrillWorld } from '../support/drill-world.ts';
import type { Census } from '../support/world.ts';

/** What lives of ours under a drill's name. */
async function drillVms(drill: DrillWorld): Promise<string[]> {
  const { vms } = await drill.world.sim.control.state();
  return vms.filter((vm) => vm.name.startsWith(DRILL_PREFIX) && vm.stateText !== 'DONE').map((vm) => vm.name);
}

describe('a drill', () => {
  let drill: DrillWorld;
  let census: Census;
  beforeAll(async () => {
    drill = await makeDrillWorld({ guestAgent: 'silent' });
    census = await drill.world.census();
  });
  afterAll(() => drill[Symbol.asyncDispose]());

  it('that passes leaves a record with its measures and nothing else', async () => {
    const report = await drillVm(drill.world.deps(), drill.request());
    expect(report).toMatchObject({ outcome: 'passed', failure: undefined, residue: [], signs: [{ kind: 'running', seen: true }] });
    expect(report.measures).toMatchObject({ restoredBytes: 3 * 2 ** 20 });
    const { writeMs = 0, bootMs = 0, lifeMs = 0, rtoMs = 0 } = report.measures;
    expect(lifeMs).toBeGreaterThanOrEqual(1000);
    expect(rtoMs).toBeGreaterThanOrEqual(writeMs + bootMs + lifeMs);
    expect(report.notes.map(({ code }) => code)).toEqual(['SIGN_WEAK']);
    const [record] = await drill.records();
    expect(record).toMatchObject({ id: report.recordId, pointId: drill.pointId, outcome: 'passed' });
    expect(record && readDrillFacts(record.facts)).toMatchObject({ sourceVmId: drill.world.vm, vmName: 'web', measures: { rtoMs } });
    await expectNoTrace(drill.world, census);
  });

  it('boots from what was backed up: the bytes of the disk decide whether the guest lives', async () => {
    const { control } = drill.world.sim;
    const bytes = (await drill.world.diskBytes(drill.world.vm, 0)).subarray(0, 4096).toString('base64');
    await control.setAgentMonitoring(true);
    await control.expectGuest({ namePrefix: DRILL_PREFIX, needs: { disk: 0, offset: 0, base64: bytes }, agent: true });
    const passed = await drillVm(drill.world.deps(), drill.request({ signs: [{ kind: 'guest-agent' }] }));
    expect(passed).toMatchObject({ outcome: 'passed', signs: [{ seen: true, evidence: 'VM_QEMU_PING={}' }] });

    const wrong = Buffer.from('another disk').toString('base64');
    await control.expectGuest({ namePrefix: DRILL_PREFIX, needs: { disk: 0, offset: 0, base64: wrong }, agent: true });
    const failed = await drillVm(drill.world.deps(), drill.request({ signs: [{ kind: 'guest-agent' }], limitMs: 5000 }));
    expect(failed).toMatchObject({
      outcome: 'failed',
      failure: { stage: 'life', error: { code: 'JOB_NO_SIGN_OF_LIFE' } },
      signs: [{ seen: false, evidence: 'not measured yet' }],
      measures: { rtoMs: undefined },
    });
    expect((await drill.records()).at(-1)).toMatchObject({ outcome: 'failed', id: failed.recordId });
    await expectNoTrace(drill.world, census);
  });

  it('ends at once when the guest dies, or when hosts turn out not to ask agents', async () => {
    const { control } = drill.world.sim;
    await control.expectGuest({ namePrefix: DRILL_PREFIX, afterMs: 200, dies: true });
    const died = await drillVm(drill.world.deps(), drill.request({ signs: [{ kind: 'running', seconds: 500_000 }] }));
    expect(died).toMatchObject({ outcome: 'failed', failure: { stage: 'life', error: { details: { state: 'POWEROFF' } } } });

    await control.setAgentMonitoring(false);
    await control.expectGuest({ namePrefix: DRILL_PREFIX, agent: true });
    const unasked = await drillVm(drill.world.deps(), drill.request({ signs: [{ kind: 'guest-agent' }] }));
    expect(unasked).toMatchObject({ outcome: 'failed', signs: [{ seen: false, evidence: 'QEMU Guest Agent monitoring disabled' }] });
    expect(unasked.durationMs).toBeLessThan(600_000);
    await expectNoTrace(drill.world, census);
  });

  it('needs all of its signs, or any', async () => {
    const { control } = drill.world.sim;
    await control.setAgentMonitoring(true);
    await control.expectGuest({ namePrefix: DRILL_PREFIX });
    const signs = [{ kind: 'running', seconds: 1 }, { kind: 'guest-agent' }] as const;
    const all = await drillVm(drill.world.deps(), drill.request({ signs, limitMs: 10_000 }));
    expect(all).toMatchObject({ outcome: 'failed', signs: [{ seen: true }, { seen: false }] });
    const any = await drillVm(drill.world.deps(), drill.request({ signs, need: 'any' }));
    expect(any).toMatchObject({ outcome: 'passed', signs: [{ seen: true }, { seen: false }] });
    await expectNoTrace(drill.world, census);
  });

  it('asks a probe until it is content, with the facts of the VM', async () => {
    const asked: Readonly<Record<string, string>>[] = [];
    const probes = {
      run: async ({ env }: { readonly env: Readonly<Record<string, string>> }) => {
        asked.push(env);
        return asked.length < 3 ? { exitCode: 1, output: 'not yet' } : { exitCode: 0, output: 'HTTP 200' };
      },
    };
    const report = await drillVm({ ...drill.world.deps(), probes }, drill.request({ signs: [{ kind: 'probe', argv: ['curl'] }] }));
    expect(report).toMatchObject({ outcome: 'passed', signs: [{ kind: 'probe', seen: true, evidence: 'exit 0: HTTP 200' }] });
    expect(asked).toHaveLength(3);
    expect(asked[0]).toMatchObject({ ONEVAULT_DRILL_SOURCE_VM_ID: String(drill.world.vm), ONEVAULT_DRILL_POINT: drill.pointId });
    expect(asked[0]?.['ONEVAULT_DRILL_VM_NAME']).toMatch(/^onevault-drill-.*-web$/);
    const broken = { run: async () => Promise.reject(new Error('no such program')) };
    const failed = await drillVm({ ...drill.world.deps(), probes: broken }, drill.request({ signs: [{ kind: 'probe', argv: ['x'] }] }));
    expect(failed).toMatchObject({ outcome: 'failed', signs: [{ evidence: 'no such program' }] });
    await expectNoTrace(drill.world, census);
  });

  it('is isolated: no card, no device of the host, nothing scheduled; and marked as one that a dead run left', async () => {
    let seen: object | undefined;
    const probes = {
      run: async ({ env }: { readonly env: Readonly<Record<string, string>> }) => {
        const vm = await drill.world.cloud.vm(vmId(Number(env['ONEVAULT_DRILL_VM_ID'])));
        seen = { nic: vm.template['NIC'], pci: vm.template['PCI'], ...vm.userTemplate };
        expect(await drillVms(drill)).toEqual([vm.name]);
        return { exitCode: 0, output: '' };
      },
    };
    await drillVm({ ...drill.world.deps(), probes }, drill.request({ signs: [{ kind: 'probe', argv: ['x'] }] }));
    expect(seen).toMatchObject({ nic: undefined, pci: undefined, ONEVAULT_STATE: 'RESTORING', ONEVAULT_DRILL: drill.pointId });
  });

  it('that is cancelled leaves no record and no VM', async () => {
    const before = await drill.records();
    const abort = new AbortController();
    const probes = {
      run: async () => {
        abort.abort();
        return { exitCode: 1, output: '' };
      },
    };
    const run = drillVm({ ...drill.world.deps(), probes }, drill.request({ signs: [{ kind: 'probe', argv: ['x'] }] }), { signal: abort.signal });
    expect(isAbort(await failureOf(run))).toBe(true);
    expect(await drill.records()).toEqual(before);
    await expectNoTrace(drill.world, census);
  });

  it.each([
    ['READY without a card', { signs: [{ kind: 'onegate-ready' }] }, ['SIGN_NEEDS_NETWORK', 'SIGN_NEEDS_TOKEN']],
    ['a network that is not there', { network: 99 }, ['NETWORK_UNKNOWN']],
    ['nothing to wait for', { signs: [] }, ['SIGN_NONE']],
    ['a console that nobody serves, with a broken pattern', { signs: [{ kind: 'console', pattern: '(' }] }, ['SIGN_NEEDS_PORT', 'SIGN_PATTERN_INVALID']],
  ] as const)('refuses %s before anything is made', async (_what, wish, codes) => {
    const refused = await failureOf(drillVm(drill.world.deps(), drill.request(wish)));
    expect(refused).toMatchObject({ code: 'JOB_DRILL_REFUSED', details: { reasons: codes.map((code) => ({ code })) } });
    await expectNoTrace(drill.world, census);
  });
});

describe('a drill on a network', () => {
  it('reaches OneGate from there and from nowhere else, and takes no READY of the past for one of its own', async () => {
    await using drill = await makeDrillWorld();
    const { world } = drill;
    const { control } = world.sim;
    const extra = 'CONTEXT=[TOKEN="YES",REPORT_READY="YES",NETWORK="YES"]\nREADY="YES"\n';
    const { vmId: id } = await control.createVm({ name: 'app', disks: [{ sizeMiB: 1 }], nics: ['lan'], context: false, extra });
    const { pointId } = await backupVm(world.deps(), world.backupRequest({ vmId: vmId(id) }));
    const [isolated] = await world.cloud.networks();
    const request = drill.request({ pointId, signs: [{ kind: 'onegate-ready' }], network: isolated?.id ?? -1, limitMs: 5000 });

    const silent = await drillVm(world.deps(), request);
    expect(silent).toMatchObject({ outcome: 'failed', notes: [], failure: { stage: 'life' } });
    expect(silent.signs[0]?.evidence).not.toContain('YES');

    const cards: unknown[] = [];
    const probes = {
      run: async ({ env }: { readonly env: Readonly<Record<string, string>> }) => {
        cards.push((await world.cloud.vm(vmId(Number(env['ONEVAULT_DRILL_VM_ID'])))).template['NIC']);
        return { exitCode: 0, output: '' };
      },
    };
    await control.expectGuest({ namePrefix: DRILL_PREFIX, ready: true });
    const ready = await drillVm({ ...world.deps(), probes }, { ...request, signs: [...request.signs, { kind: 'probe', argv: ['x'] }] });
    expect(ready).toMatchObject({ outcome: 'passed', signs: [{ seen: true, evidence: 'READY=YES' }, { seen: true }] });
    expect(cards.flat()).toEqual([expect.objectContaining({ NETWORK_ID: String(isolated?.id) })]);
  });

  it('for which the cloud has no room is no drill, and leaves no record', async () => {
    await using drill = await makeDrillWorld();
    await drill.world.sim.control.setDatastoreFree(100, 1);
    expect(await failureOf(drillVm(drill.world.deps(), drill.request()))).toMatchObject({ code: 'JOB_RESTORE_REFUSED' });
    expect(await drill.records()).toEqual([]);
    expect(await drill.world.leftovers()).toEqual([]);
  });
});

describe('a drill of a damaged point', () => {
  it('fails with the damage named, leaves nothing, and says so in its record', async () => {
    await using drill = await makeDrillWorld();
    const { world } = drill;
    const census = await world.census();
    const sizes = await Promise.all((await keysOf(world.store, 'packs/')).map(async (key) => ({ key, bytes: (await world.store.get(key)).length })));
    const largest = sizes.sort((a, b) => b.bytes - a.bytes)[0]?.key ?? '';
    await flipBit(world.store, largest, 4000);
    await using repository = await world.reopen();
    const report = await drillVm(world.deps({ repository }), drill.request());
    expect(report).toMatchObject({
      outcome: 'failed',
      failure: { stage: 'restore', error: { code: 'REPO_CHUNK_CORRUPT', details: { diskKey: expect.stringMatching(/^disk-/), offset: expect.any(Number) } } },
      residue: [],
    });
    const [record] = await drill.records();
    expect(record?.outcome).toBe('failed');
    expect(record && readDrillFacts(record.facts)?.failure).toMatchObject({ stage: 'restore', code: 'REPO_CHUNK_CORRUPT' });
    expect(await world.leftovers()).toEqual([]);
    expect(await world.census()).toEqual(census);
    expect(await world.unfinishedRuns()).toEqual([]);
  });
});
