import { context, GUEST, type Lab, OS_DISK_MIB, openLab, RAW, type Table } from './lab.ts';

/** The cloud as it was when the first exchange was recorded: two protected VMs and two proxies had come and gone. */
export async function openLab702(): Promise<Lab> {
  const lab = await openLab('7.0.2', { id: 1, cgroups: '1' });
  const { settled, one } = lab;
  const file = await lab.file(OS_DISK_MIB);
  await settled('one.image.allocate', `NAME="deb-os"\nTYPE="OS"\nPATH="${file}"\nFORMAT="qcow2"\nDEV_PREFIX="vd"\n`, 1, false);
  await settled('one.image.allocate', 'NAME="data1"\nTYPE="DATABLOCK"\nSIZE="2"\nFORMAT="qcow2"\nPERSISTENT="YES"\nDEV_PREFIX="vd"\n', 1, false);
  for (const [name, type, sizeMiB] of [
    ['kern', 'KERNEL', 14],
    ['initrd', 'RAMDISK', 16],
  ] as const) {
    await settled('one.image.allocate', `NAME="${name}"\nTYPE="${type}"\nPATH="${await lab.file(sizeMiB)}"\n`, 2, false);
  }
  for (let n = 0; n < 4; n++) await settled('one.template.allocate', `NAME="old-${n}"\n${target('1')}`);
  await settled('one.template.allocate', `NAME="target"\n${target('1')}`);
  await settled('one.template.allocate', `NAME="proxy"\n${proxy('1')}`);
  for (const name of ['target-0', 'proxy']) await goneAtOnce(lab, name);
  await failedSaves(lab);
  await terminatedWhileAttached(lab);
  await settled('one.template.instantiate', 4, 'target', false, '', false);
  await settled('one.template.instantiate', 5, 'proxy', false, '', false);
  await one.sim.control.setDatastoreFree(1, 100_000);
  return lab;
}

function target(cpu: string): string {
  const disks =
    'DISK=[IMAGE="deb-os",DEV_PREFIX="vd"]\nDISK=[IMAGE="data1",DEV_PREFIX="vd"]\nDISK=[DEV_PREFIX="vd",FORMAT="raw",FS="ext4",SIZE="64",TYPE="fs"]\n';
  return `CPU="${cpu}"\nVCPU="1"\nMEMORY="512"\nOS=[ARCH="x86_64"]\n${context('target')}${GUEST}${RAW}${disks}`;
}

function proxy(cpu: string): string {
  return `CPU="${cpu}"\nVCPU="1"\nMEMORY="2048"\nOS=[ARCH="x86_64"]\n${context('proxy')}${GUEST}${RAW}DISK=[IMAGE="deb-os",DEV_PREFIX="vd"]\n`;
}

async function goneAtOnce({ settled }: Lab, name: string): Promise<void> {
  const vm = await settled('one.template.instantiate', 4, name, false, '', false);
  await settled('one.vm.action', 'terminate-hard', vm);
}

/** VMs 2 and 3: saving failed, and so did removing what came of it; images 4 and 5 stayed in ERROR. */
async function failedSaves({ settled, one }: Lab): Promise<void> {
  await settled('one.template.instantiate', 4, 'target', false, '', false);
  await settled('one.template.instantiate', 5, 'proxy', false, '', false);
  for (const disk of [0, 1]) await settled('one.vm.disksnapshotcreate', 2, disk, `ov-test-${disk}`);
  for (const [disk, image] of [
    [0, 4],
    [1, 5],
  ] as const) {
    await one.sim.control.inject({ fault: 'driver', operation: 'saveas', text: 'cpds: Live operation not supported on qemu' });
    await settled('one.vm.disksaveas', 2, disk, disk === 0 ? 'ov-tmp-0-1795333304' : 'ov-tmp-1-1795333305', '', 0);
    await one.sim.control.inject({ fault: 'driver', operation: 'image-delete', text: '' });
    await settled('one.image.delete', image, false);
  }
  for (const vm of [2, 3]) await settled('one.vm.action', 'terminate-hard', vm);
}

/** VMs 4 and 5: they ended with images 6 and 7 attached. */
async function terminatedWhileAttached({ settled }: Lab): Promise<void> {
  await settled('one.template.instantiate', 4, 'target', false, '', false);
  await settled('one.template.instantiate', 5, 'proxy', false, '', false);
  for (const disk of [0, 1]) await settled('one.vm.disksnapshotcreate', 4, disk, `ov-test-${disk}`);
  await settled('one.vm.disksaveas', 4, 0, 'ov-tmp-0-1795333439', '', 0);
  await settled('one.vm.disksaveas', 4, 1, 'ov-tmp-1-1795333446', '', 0);
  for (const image of [6, 7]) await settled('one.vm.attach', 5, `DISK=[IMAGE_ID="${image}",DEV_PREFIX="vd",SERIAL="ov${image}abc",READONLY="YES"]`);
  for (const vm of [4, 5]) await settled('one.vm.action', 'terminate-hard', vm);
  for (const image of [6, 7]) await settled('one.image.delete', image, false);
}

/** Between the first session and the second: a new pair, VMs 9 and 10 from templates 7 and 8. */
async function secondPair({ settled }: Lab): Promise<void> {
  for (const vm of [6, 7]) await settled('one.vm.action', 'terminate-hard', vm);
  await settled('one.template.allocate', `NAME="target-small"\n${target('0.1')}`);
  await settled('one.template.allocate', `NAME="proxy-small"\n${proxy('0.1')}`);
  await settled('one.template.instantiate', 7, 'target', false, '', false);
  await settled('one.template.instantiate', 8, 'proxy', false, '', false);
  for (let n = 0; n < 3; n++) for (const disk of [0, 1]) await settled('one.vm.disksnapshotcreate', 9, disk, 'x');
}

/** VM 11, restored onto image 13 from template 9. */
async function restored({ settled, one }: Lab): Promise<void> {
  await one.sim.control.idle();
  await settled('one.image.allocate', 'NAME="ov-pers-1795334954"\nTYPE="DATABLOCK"\nSIZE="33"\nFORMAT="qcow2"\nDEV_PREFIX="vd"\nPERSISTENT="YES"\n', 1, false);
  const text = 'CPU="0.1"\nVCPU="1"\nMEMORY="128"\nOS=[ARCH="x86_64"]\nDISK=[IMAGE_ID="13",DEV_PREFIX="vd"]\nSCHED_DS_REQUIREMENTS="ID=0"\n';
  await settled('one.template.allocate', `NAME="ov-restore-1795334954"\n${text}`);
  await settled('one.template.instantiate', 9, 'restored-1795334954', false, '', false);
}

const QEMU = 'of a host of VM_MAD qemu, which is not simulated';
const KERNEL = 'with a kernel and an initrd out of a files datastore, which are not simulated';

export const TABLE_702: Table = {
  '000': {},
  '001': {},
  '002': { without: { 0: KERNEL, 1: KERNEL, 2: QEMU, 3: QEMU } },
  '003': {},
  '004': {},
  '005': { depth: 'structure' },
  '006': {},
  '007': {},
  '008': {},
  '009': {},
  '010': {},
  '011': {},
  '012': {},
  '013': {},
  '014': {},
  '015': {},
  '016': {},
  '017': {},
  '018': {},
  '019': {},
  '020': {},
  '021': {},
  '022': {},
  '023': {},
  '024': {},
  '025': {},
  '026': {},
  '027': {},
  '028': {},
  '029': {},
  '030': {},
  '031': {},
  '032': {},
  '033': {},
  '034': {},
  '035': {},
  '036': {},
  '037': {},
  '038': {},
  '039': {},
  '040': {},
  '041': {},
  '042': {},
  '043': {},
  '044': {},
  '045': {},
  '046': {},
  '047': {},
  '048': {},
  '049': {},
  '050': {},
  '051': { before: ({ one }) => one.sim.control.hold(['revert']), goesOn: true },
  '052': { goesOn: true },
  '053': {
    before: async ({ one }) => {
      await one.sim.control.release();
      await one.sim.control.idle();
    },
  },
  '054': {},
  '055': {},
  '056': {},
  '057': {},
  '058': { before: secondPair },
  '059': {},
  '060': {},
  '061': {},
  '062': {},
  '063': {},
  '064': {},
  '065': { before: restored },
  '066': {
    before: async ({ settled }) => {
      await settled('one.vm.disksnapshotcreate', 9, 1, 'x');
    },
  },
  '067': {},
};
