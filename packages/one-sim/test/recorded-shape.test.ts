import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestSimulator, type TestSimulator } from '../testing/index.ts';
import { recorded } from './recorded.ts';
import { shapeOf, shapesOf, without } from './xml-shape.ts';

const RAW = 'RAW=[DATA="<qemu:commandline/>",TYPE="kvm",VALIDATE="no"]\n';
const qcow2OnLocal = { datastore: 1, format: 'qcow2' } as const;

describe('bodies have the shape of the recorded ones of 7.0.2', () => {
  let test702: TestSimulator;
  let vm: number;
  let images: readonly number[];
  beforeAll(async () => {
    test702 = await startTestSimulator();
    const created = await test702.sim.control.createVm({
      name: 'target',
      disks: [
        { sizeMiB: 3, ...qcow2OnLocal },
        { sizeMiB: 2, persistent: true, ...qcow2OnLocal },
      ],
      volatileMiB: [2],
      extra: RAW,
    });
    vm = created.vmId;
    images = created.imageIds;
  });
  afterAll(() => test702[Symbol.asyncDispose]());

  const settled = async (method: string, ...params: (string | number | boolean)[]): Promise<void> => {
    await test702.must(method, ...params);
    await test702.sim.control.idle();
  };
  // What the monitor measured is no part of what is simulated.
  const body = (xml: string): string[] => without(shapeOf(xml), 'MONITORING');

  test('VM, RUNNING, a persistent disk with snapshots', async () => {
    await settled('one.vm.disksnapshotcreate', vm, 1, 'ov-test-1');
    await settled('one.vm.disksnapshotcreate', vm, 1, 'ov-test-1');
    expect(body(await test702.must('one.vm.info', vm))).toEqual(body((await recorded('7.0.2', '001')).value));
  });

  test('VM after a snapshot of every disk', async () => {
    await settled('one.vm.disksnapshotcreate', vm, 0, 'ov-test-0');
    await settled('one.vm.disksnapshotcreate', vm, 1, 'ov-test-1');
    expect(body(await test702.must('one.vm.info', vm))).toEqual(body((await recorded('7.0.2', '010')).value));
  });

  test('VM after one snapshot could be deleted and another, on driver local, could not', async () => {
    await settled('one.vm.disksnapshotdelete', vm, 0, 0);
    await settled('one.vm.disksnapshotdelete', vm, 1, 2);
    expect(body(await test702.must('one.vm.info', vm))).toEqual(body((await recorded('7.0.2', '025')).value));
  });

  test('VM powered off after reverts and deletions', async () => {
    await settled('one.vm.action', 'poweroff-hard', vm);
    await settled('one.vm.disksnapshotrevert', vm, 1, 0);
    await settled('one.vm.disksnapshotdelete', vm, 0, 0);
    await settled('one.vm.disksnapshotdelete', vm, 1, 1);
    expect(body(await test702.must('one.vm.info', vm))).toEqual(body((await recorded('7.0.2', '057')).value));
  });

  test('images: of a VM, saved, and an empty one', async () => {
    const [os] = images;
    expect(shapeOf(await test702.must('one.image.info', os ?? -1))).toEqual(shapeOf((await recorded('7.0.2', '006')).value));
    const saved = Number(await test702.must('one.vm.disksaveas', vm, 0, 'saved', '', -1));
    const empty = Number(await test702.must('one.image.allocate', 'NAME="e"\nTYPE="DATABLOCK"\nSIZE="1"\nFORMAT="qcow2"\nDEV_PREFIX="vd"\n', 1, false));
    await test702.sim.control.idle();
    expect(shapeOf(await test702.must('one.image.info', saved))).toEqual(shapeOf((await recorded('7.0.2', '012')).value));
    expect(shapeOf(await test702.must('one.image.info', empty))).toEqual(shapeOf((await recorded('7.0.2', '027')).value));
    const pool = shapesOf(await test702.must('one.imagepool.info', -2, -1, -1), 'IMAGE');
    expect(pool.get('saved')).toEqual(shapeOf((await recorded('7.0.2', '012')).value));
  });

  test('a proxy VM with disks attached by serial', async () => {
    const { vmId: proxy } = await test702.sim.control.createVm({ name: 'proxy', disks: [{ sizeMiB: 1, ...qcow2OnLocal }], extra: RAW });
    for (const name of ['x', 'y']) {
      const image = await test702.must('one.image.allocate', `NAME="${name}"\nTYPE="DATABLOCK"\nSIZE="1"\nFORMAT="qcow2"\nDEV_PREFIX="vd"\n`, 1, false);
      await test702.sim.control.idle();
      await settled('one.vm.attach', proxy, `DISK=[IMAGE_ID="${image}",DEV_PREFIX="vd",SERIAL="ov${name}",READONLY="YES"]`);
    }
    expect(body(await test702.must('one.vm.info', proxy))).toEqual(body((await recorded('7.0.2', '017')).value));
    const persistent = await test702.must(
      'one.image.allocate',
      'NAME="p"\nTYPE="DATABLOCK"\nSIZE="1"\nFORMAT="raw"\nDEV_PREFIX="sd"\nPERSISTENT="YES"\n',
      1,
      false,
    );
    await test702.sim.control.idle();
    await settled('one.vm.detach', proxy, 3);
    await settled('one.vm.detach', proxy, 2);
    await settled('one.vm.attach', proxy, `DISK=[IMAGE_ID="${persistent}",DEV_PREFIX="sd",SERIAL="ovsd"]`);
    expect(body(await test702.must('one.vm.info', proxy))).toEqual(body((await recorded('7.0.2', '064')).value));
  });

  test('a VM without context, from a template with one persistent disk', async () => {
    const { vmId } = await test702.sim.control.createVm({ name: 'bare', disks: [{ sizeMiB: 1, persistent: true, ...qcow2OnLocal }], context: false });
    const bare = without(body(await test702.must('one.vm.info', vmId)), 'FEATURES', 'GRAPHICS', 'USER_TEMPLATE');
    expect(bare).toEqual(without(body((await recorded('7.0.2', '065')).value), 'USER_TEMPLATE'));
  });

  test('a VM that stays PENDING', async () => {
    const template = await test702.must(
      'one.template.allocate',
      'NAME="huge"\nCPU="1"\nVCPU="1"\nMEMORY="999999999"\nOS=[ARCH="x86_64"]\nSCHED_DS_REQUIREMENTS="ID=0"\n',
    );
    const pending = Number(await test702.must('one.template.instantiate', Number(template), 'huge', false, '', false));
    await test702.sim.control.idle();
    const theirs = without(body((await recorded('7.0.2', '034')).value), 'DISK');
    expect(body(await test702.must('one.vm.info', pending))).toEqual(theirs);
  });

  test('datastores 0, 1 and 2', async () => {
    await test702.must('one.image.allocate', `NAME="kernel"\nTYPE="KERNEL"\nPATH="${import.meta.filename}"`, 2, false);
    const ours = shapesOf(await test702.must('one.datastorepool.info'), 'DATASTORE');
    const theirs = shapesOf((await recorded('7.0.2', '004')).value, 'DATASTORE');
    for (const name of ['system', 'default', 'files']) expect(ours.get(name)).toEqual(theirs.get(name));
  });

  test('hosts', async () => {
    const ours = shapesOf(await test702.must('one.hostpool.info'), 'HOST').get('node1');
    expect(ours).toEqual(shapesOf((await recorded('7.0.2', '005')).value, 'HOST').get('localhost'));
  });
});

describe('bodies have the shape of the recorded ones of 7.4.0', () => {
  let test740: TestSimulator;
  let vm: number;
  beforeAll(async () => {
    test740 = await startTestSimulator({ version: '7.4.0' });
    const disks = [
      { sizeMiB: 3, ...qcow2OnLocal },
      { sizeMiB: 2, persistent: true, ...qcow2OnLocal },
    ];
    vm = (await test740.sim.control.createVm({ name: 'target', disks, volatileMiB: [2], extra: RAW, cpu: 0.1 })).vmId;
    for (const disk of [0, 1]) {
      await test740.must('one.vm.disksnapshotcreate', vm, disk, 'a');
      await test740.sim.control.idle();
    }
    await test740.must('one.vm.disksnapshotdelete', vm, 0, 0);
    await test740.sim.control.idle();
  });
  afterAll(() => test740[Symbol.asyncDispose]());

  test('the short bodies of the VM pool', async () => {
    const ours = shapesOf(await test740.must('one.vmpool.info', -2, -1, -1, -2, ''), 'VM').get('target');
    expect(ours).toEqual(shapesOf((await recorded('7.4.0', '026')).value, 'VM').get('target'));
  });

  test('the full body', async () => {
    const drop = (xml: string): string[] => without(shapeOf(xml), 'MONITORING', 'SNAPSHOTS');
    expect(drop(await test740.must('one.vm.info', vm))).toEqual(drop((await recorded('7.4.0', '025')).value));
  });

  test('templates and clusters', async () => {
    const image = await test740.must('one.image.allocate', 'NAME="deb-os"\nSIZE="1"', 1, false);
    expect(image).not.toBe('');
    const text = `NAME="proxy"\nCONTEXT=[NETWORK="NO",SET_HOSTNAME="proxy",TOKEN="NO"]\nCPU="0.1"\nDISK=[DEV_PREFIX="vd",IMAGE="deb-os"]\nFEATURES=[ACPI="yes",GUEST_AGENT="no"]\nGRAPHICS=[LISTEN="127.0.0.1",TYPE="VNC"]\nMEMORY="2048"\nOS=[ARCH="x86_64",MACHINE="pc"]\n${RAW}VCPU="1"\n`;
    await test740.must('one.template.allocate', text);
    const ours = shapesOf(await test740.must('one.templatepool.info', -2, -1, -1), 'VMTEMPLATE').get('proxy');
    expect(ours).toEqual(shapesOf((await recorded('7.4.0', '032')).value, 'VMTEMPLATE').get('proxy'));
    const clusters = (await test740.must('one.clusterpool.info')).replace(/<VNETS>.*<\/VNETS>/, '<VNETS></VNETS>');
    expect(shapeOf(clusters)).toEqual(shapeOf((await recorded('7.4.0', '033')).value));
  });

  test('a system datastore of driver qcow2', async () => {
    const ours = shapesOf(await test740.must('one.datastorepool.info'), 'DATASTORE').get('system-qcow2');
    expect(ours).toEqual(shapesOf((await recorded('7.4.0', '029')).value, 'DATASTORE').get('sysq'));
    const images = shapesOf(await test740.must('one.datastorepool.info'), 'DATASTORE').get('images-qcow2');
    expect(images).toEqual(shapesOf((await recorded('7.4.0', '029')).value, 'DATASTORE').get('imgq'));
  });
});
