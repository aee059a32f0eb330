import { context, GUEST, type Lab, OS_DISK_MIB, openLab, RAW, type Table } from './lab.ts';

/** Two protected VMs, one on driver local and one on qcow2; the proxy came later. */
export async function openLab740(): Promise<Lab> {
  const lab = await openLab('7.4.0', { id: 0, cgroups: '1' });
  const { settled } = lab;
  const file = await lab.file(OS_DISK_MIB);
  await settled('one.image.allocate', `NAME="deb-os"\nTYPE="OS"\nPATH="${file}"\nFORMAT="qcow2"\nDEV_PREFIX="vd"\n`, 1, false);
  await settled('one.image.allocate', 'NAME="data1"\nTYPE="DATABLOCK"\nSIZE="2"\nFORMAT="qcow2"\nPERSISTENT="YES"\nDEV_PREFIX="vd"\n', 1, false);
  await settled('one.image.allocate', `NAME="deb-q"\nTYPE="OS"\nPATH="${file}"\nDEV_PREFIX="vd"\n`, 100, false);
  await settled('one.image.allocate', 'NAME="data-q"\nTYPE="DATABLOCK"\nSIZE="1"\nPERSISTENT="YES"\nDEV_PREFIX="vd"\n', 100, false);
  await settled('one.image.allocate', 'NAME="data-raw"\nTYPE="DATABLOCK"\nSIZE="64"\nFORMAT="raw"\nDEV_PREFIX="vd"\n', 100, false);
  const disk = (name: string): string => `DISK=[IMAGE="${name}",DEV_PREFIX="vd"]\n`;
  const volatile = 'DISK=[DEV_PREFIX="vd",FORMAT="raw",FS="ext4",SIZE="64",TYPE="fs"]\n';
  await settled('one.template.allocate', `NAME="target"\n${vm('target', '512')}${disk('deb-os')}${disk('data1')}${volatile}`);
  await settled('one.template.allocate', `NAME="targetq"\n${vm('targetq', '512')}${disk('deb-q')}${disk('data-q')}${disk('data-raw')}`);
  await settled('one.template.allocate', `NAME="proxy"\n${vm('proxy', '2048')}${disk('deb-os')}`);
  await settled('one.template.instantiate', 0, 'target', false, '', false);
  await settled('one.template.instantiate', 1, 'targetq', false, '', false);
  return lab;
}

function vm(name: string, memory: string): string {
  return `CPU="0.1"\nVCPU="1"\nMEMORY="${memory}"\nOS=[ARCH="x86_64",MACHINE="pc"]\n${context(name)}${GUEST}${RAW}`;
}

/** A second snapshot, which the saved child needs. */
function another(vmId: number, diskId: number) {
  return async ({ settled }: Lab): Promise<void> => {
    await settled('one.vm.disksnapshotcreate', vmId, diskId, 'b');
  };
}

function withoutIt(vmId: number, diskId: number) {
  return async ({ settled }: Lab): Promise<void> => {
    await settled('one.vm.disksnapshotdelete', vmId, diskId, 1);
  };
}

/** All that was saved is deleted again, the proxy is started; VM 1 had had trouble when it was deployed. */
async function betweenTheSessions({ settled }: Lab): Promise<void> {
  for (let image = 5; image <= 17; image++) await settled('one.image.delete', image, false);
  await settled('one.vm.update', 1, TROUBLE, 1);
  await settled('one.template.instantiate', 2, 'proxy', false, '', false);
}

const TROUBLE =
  'ERROR="Sun Nov 22 08:55:05 2026: DEPLOY: xorriso -as mkisofs -o /var/lib/one/datastores/.isofiles/1/1.iso.tmp -V CONTEXT -J -R /var/l... see more details in VM log"\nSCHED_MESSAGE="Sun Nov 22 08:54:39 2026: [HOST] Dispatch limit reached on hosts: 0"\n';

/** Image 18: a copy of data1, as far as can be seen. */
async function imageToAttach({ settled }: Lab): Promise<void> {
  await settled('one.image.allocate', 'NAME="att-1795337970"\nTYPE="DATABLOCK"\nSIZE="2"\nFORMAT="qcow2"\nDEV_PREFIX="vd"\n', 1, false);
}

export const TABLE_740: Table = {
  '000': {},
  '001': {},
  '002': {},
  '003': { before: another(0, 0) },
  '004': {},
  '005': { before: withoutIt(0, 0) },
  '006': {},
  '007': {},
  '008': { before: another(0, 1) },
  '009': {},
  '010': { before: withoutIt(0, 1) },
  '011': {},
  '012': {},
  '013': {},
  '014': {},
  '015': {},
  '016': {},
  '017': {},
  '018': { before: another(1, 1) },
  '019': {},
  '020': { before: withoutIt(1, 1) },
  '021': {},
  '022': {},
  '023': {},
  '024': { before: betweenTheSessions },
  '025': {},
  '026': {},
  '027': {},
  '028': {},
  '029': {},
  '030': { depth: 'structure', leftOut: { '/HOST_SHARE/DATASTORES/DS': 'the local datastore had not been measured yet' } },
  '031': {},
  '032': {},
  '033': {},
  '036': { before: imageToAttach },
  '037': {},
  '038': {},
  '039': {},
  '040': {},
};
