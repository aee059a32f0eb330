import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Attributes, parseVm, type Vm } from '@onevault/one-client';
import { backupVm, previewRestore, restoreVm } from '@onevault/orchestrator';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { vmPaths } from '../support/vm-paths.ts';
import { diskId, makeWorld, type World } from '../support/world.ts';

const GPU = { vendor: '10de', device: '1db6', class: '0302' };
const PINNING = 0;

/** Everything a VM can be made of that a restore could lose. */
const DEFINITION = [
  'CPU_MODEL=[MODEL="host-passthrough"]',
  'TPM=[MODEL="tpm-crb"]',
  'TOPOLOGY=[PIN_POLICY="CORE",SOCKETS="1",CORES="2",THREADS="1"]',
  'NUMA_NODE=[TOTAL_CPUS="2",MEMORY="512"]',
  'PCI=[VENDOR="10de",CLASS="0302"]',
  'NIC=[NETWORK="lan",MODEL="virtio",SECURITY_GROUPS="0"]',
  'NIC=[NETWORK="lan",MODEL="e1000",NAME="backnet"]',
  'NIC_ALIAS=[NETWORK="lan",PARENT="backnet"]',
  'INPUT=[TYPE="tablet",BUS="usb"]',
  'RAW=[TYPE="kvm",DATA="<devices/>"]',
  'LABELS="prod,db"',
  'DESCRIPTION="the \\"one\\" that matters"',
  'SCHED_REQUIREMENTS="ID=0"',
  'BACKUP_CONFIG=[KEEP_LAST="4",FS_FREEZE="AGENT",MODE="FULL"]',
].join('\n');

describe.each(['direct', 'saveas'] as const)('a VM with one of everything, restored by %s', (method) => {
  let world: World;
  let vm: number;
  beforeEach(async () => {
    world = await makeWorld();
    const iso = join(world.sim.dir, 'install.iso');
    await writeFile(iso, Buffer.alloc(1 << 20, 'iso'));
    const devices = ['01', '02', '03'].map((bus) => ({ ...GPU, shortAddress: `${bus}:00.0` }));
    await world.sim.control.setHostCapacity(PINNING, { pinned: true, pciDevices: devices });
    const made = await world.sim.control.createVm({
      name: 'everything',
      disks: [
        { sizeMiB: 2, devPrefix: 'vd' },
        { sizeMiB: 1, devPrefix: 'sd', persistent: true },
        { sizeMiB: 1, devPrefix: 'hd' },
        { sizeMiB: 1, devPrefix: 'vd' },
        { file: iso, type: 'CDROM' },
      ],
      volatileMiB: [3],
      nics: [],
      context: false,
      vcpu: 2,
      extra: `${DEFINITION}\nCONTEXT=[NETWORK="YES",SSH_PUBLIC_KEY="ssh-ed25519 AAAA"]\n`,
      os: 'ARCH="x86_64",FIRMWARE="UEFI",FIRMWARE_SECURE="YES",MACHINE="q35",BOOT="disk0,nic1"',
    });
    vm = made.vmId;
    for (const disk of [0, 1, 2, 3]) await world.sim.control.writeRandom(vm, disk, { seed: 20 + disk, count: 20, blockBytes: 4096 });
  });
  afterEach(() => world[Symbol.asyncDispose]());

  const body = async (id: number): Promise<Vm> => parseVm(String(await world.must('one.vm.info', id, false)));
  const EXCLUDED = 3;

  /** Restored, with what the dry run said would be different. */
  async function restored(): Promise<{ before: Vm; after: Vm; listed: ReadonlyMap<string, string> }> {
    const before = await body(vm);
    const { pointId } = await backupVm(world.deps(), world.backupRequest({ vmId: before.id, excludeDisks: [diskId(EXCLUDED)] }));
    const request = world.restoreRequest(pointId, { name: 'again', method });
    const { changes, checks } = await previewRestore(world.deps(), request);
    expect(changes.filter(({ code }) => code === 'UNKNOWN')).toEqual([]);
    expect(checks.findings.filter(({ severity }) => severity !== 'ok')).toEqual([]);
    const report = await restoreVm(world.deps(), request);
    expect(report.residue).toEqual([]);
    return { before, after: await body(report.vmId), listed: new Map(changes.map(({ path, code }) => [path, code])) };
  }

  it('differs in what is listed and in nothing else, and its disks are the same byte for byte', { timeout: 120_000 }, async () => {
    const { before, after, listed } = await restored();
    const unlisted = differences(before, after).filter((path) => !isListed(listed, path) && !WRITTEN_BY_OPENNEBULA.has(lastName(path)));
    expect(unlisted).toEqual([]);
    // What must be exactly as it was, whatever is listed.
    for (const part of ['CPU', 'MEMORY', 'VCPU', 'TOPOLOGY', 'CPU_MODEL', 'TPM', 'FEATURES', 'INPUT', 'RAW', 'VIDEO'])
      expect(after.template[part], part).toEqual(before.template[part]);
    expect(after.template['OS']).toEqual({ ...(before.template['OS'] as Attributes), UUID: after.uuid });
    expect(after.uuid).not.toBe(before.uuid);
    expect(after.disks.map(({ target, devPrefix, sizeMiB, persistent }) => ({ target, devPrefix, sizeMiB, persistent }))).toEqual(
      before.disks.map(({ target, devPrefix, sizeMiB, persistent }) => ({ target, devPrefix, sizeMiB, persistent })),
    );
    expect(after.disks[4]?.imageId).toBe(before.disks[4]?.imageId);
    expect(after.template['NIC_ALIAS']).toMatchObject([{ PARENT: 'backnet', PARENT_ID: '1' }]);
    expect(after.template['NUMA_NODE']).toMatchObject({ MEMORY: '524288', TOTAL_CPUS: '2' });
    expect(after.backupConfig).toEqual(before.backupConfig);

    for (const disk of [0, 1, 2]) expect((await world.diskBytes(after.id, disk)).equals(await world.diskBytes(vm, disk)), `disk ${disk}`).toBe(true);
    expect((await world.diskBytes(after.id, EXCLUDED)).every((byte) => byte === 0)).toBe(true);
    expect(await world.leftovers()).toEqual([]);
    expect(await world.sim.control.unexpectedErrors()).toEqual([]);
  });
});

it('a VM whose original is gone keeps its UUID and its addresses', { timeout: 120_000 }, async () => {
  await using world = await makeWorld();
  const body = async (id: number): Promise<Vm> => parseVm(String(await world.must('one.vm.info', id, false)));
  const { vmId } = await world.sim.control.createVm({
    name: 'gone',
    disks: [{ sizeMiB: 1 }],
    nics: ['lan'],
    extra: 'NIC_ALIAS=[NETWORK="lan",PARENT="NIC0"]\n',
  });
  const before = await body(vmId);
  const { pointId } = await backupVm(world.deps(), world.backupRequest({ vmId: before.id }));
  await world.must('one.vm.action', 'terminate-hard', vmId);
  await world.sim.control.idle();
  const report = await restoreVm(world.deps(), world.restoreRequest(pointId, { name: 'again' }));
  const after = await body(report.vmId);
  expect(after.uuid).toBe(before.uuid);
  for (const kind of ['NIC', 'NIC_ALIAS']) {
    const addresses = (of: Vm): unknown => (of.template[kind] as Attributes[]).map((card) => [card['IP'], card['MAC'], card['NAME']]);
    expect(addresses(after), kind).toEqual(addresses(before));
  }
});

/** Of a body: numbers and places of the new VM. The definition does not have them, so the list says nothing of them. */
const WRITTEN_BY_OPENNEBULA = new Set(['ONEVAULT_RUN', 'ONEVAULT_STATE', 'ONEVAULT_NAME', 'ONEVAULT_POINT']);
const lastName = (path: string): string => path.split('/').at(-1) ?? '';

/** Paths, as the list of changes writes them, in which two bodies differ. */
function differences(before: Vm, after: Vm): string[] {
  const [old, now] = [vmPaths(before), vmPaths(after)];
  return [...new Set([...old.keys(), ...now.keys()])].filter((path) => old.get(path) !== now.get(path)).sort();
}

function isListed(listed: ReadonlyMap<string, string>, path: string): boolean {
  return listed.has(path) || [...listed.keys()].some((known) => path.startsWith(`${known}/`));
}
