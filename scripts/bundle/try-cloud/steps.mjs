import { strict as assert } from 'node:assert';

/** What would be touched, and why it cannot start. */
export async function announce(cloud) {
  const [vm, proxy] = [await cloud.vm(), await cloud.vm(cloud.ids.proxy)];
  const state = cloud.one.vmStateName;
  const disks = await cloud.imageDisks();
  const sizeMiB = disks.reduce((sum, disk) => sum + disk.sizeMiB, 0);
  return {
    lines: [
      `OpenNebula ${await cloud.api.version()} at ${cloud.api.endpoint.href}, as user ${cloud.me.id} ${cloud.me.name}`,
      `VM ${vm.id} '${vm.name}' (${state(vm)}): backed up running, powered off, backed up again, started; snapshots of its ${disks.length} disks are made and deleted`,
      `VM ${proxy.id} '${proxy.name}' (${state(proxy)}), in which this must run: disks are attached and detached`,
      `made and deleted: temporary copies of ${sizeMiB} MiB, one VM on hold with its images, all named ${cloud.prefix}… or onevault-…; nothing else is touched`,
    ],
    objections: [
      ...(vm.id === proxy.id ? ['the VM and the proxy are the same'] : []),
      ...[vm, proxy].filter((one) => state(one) !== 'RUNNING').map((one) => `VM ${one.id} is ${state(one)}, not RUNNING`),
      ...[vm, proxy].filter((one) => one.lock !== undefined).map((one) => `VM ${one.id} is locked`),
      ...(disks.length === 0 ? [`VM ${vm.id} has no disk with an image`] : []),
    ],
  };
}

/** Each with a title and a `run` that throws when something is not as it must be, or answers what is worth saying. */
export const STEPS = [
  { title: 'a repository', run: ({ onevault, signal }) => onevault.document(['init'], { signal }).then(() => undefined) },
  { title: 'doctor', run: doctor },
  { title: 'plan', run: plan },
  { title: 'backup of the running VM', run: backupRunning },
  { title: 'a change, and the VM is powered off', run: change },
  { title: 'reference copies, made without onevault', run: takeReferences },
  { title: 'backup of the VM while it is off', run: backupOff },
  { title: 'the VM runs again', run: ({ cloud }) => cloud.resume().then(() => undefined) },
  { title: 'snapshots: create, list, delete', run: snapshots },
  { title: 'verify', run: verify },
  { title: 'restore to a new VM on hold', run: restore },
  { title: 'every restored disk against its reference', run: compare },
  { title: 'cleanup finds nothing of ours', run: nothingToCleanUp },
];

/** What is there from which version on is no matter of a trial: it runs what there is. */
async function knows(onevault, command, signal) {
  const { stdout } = await onevault.run(['--help'], { signal });
  return new RegExp(`^ +${command}\\b`, 'm').test(stdout);
}
const UNKNOWN = 'this version has no such command';

/** Its advice is for people; that it can judge the cloud at all is what is tried. */
async function doctor({ onevault, signal }) {
  if (!(await knows(onevault, 'doctor', signal))) return UNKNOWN;
  const { code, stdout, stderr } = await onevault.run(['doctor', '--json'], { signal });
  assert.doesNotThrow(() => JSON.parse(stdout), `onevault doctor ended with ${code}: ${stderr}`);
  return `exit code ${code}`;
}

async function nothingToCleanUp({ onevault, signal }) {
  if (!(await knows(onevault, 'cleanup', signal))) return UNKNOWN;
  const { orphans } = await onevault.document(['cleanup', '--list'], { signal });
  assert.deepEqual(orphans, []);
}

/** Of the disks of which the plan says that a snapshot can be taken away again. */
async function snapshots({ onevault, cloud, facts, signal }) {
  const disks = facts.planned.filter(({ method }) => method === 'snapshot').flatMap(({ diskId }) => ['--disk', String(diskId)]);
  if (disks.length === 0) return 'no disk of this VM has snapshots that can be deleted again';
  const vm = String(cloud.ids.vm);
  const before = (await cloud.census()).snapshots;
  await onevault.document(['snapshot', 'create', vm, ...disks], { signal });
  assert.equal((await cloud.census()).snapshots.length, before.length + disks.length / 2);
  const { vms } = await onevault.document(['snapshot', 'list', vm], { signal });
  assert.equal(vms[0].sets.length, 1);
  await onevault.document(['snapshot', 'delete', vm, vms[0].sets[0].setId, '--yes'], { signal });
  assert.deepEqual((await cloud.census()).snapshots, before);
  return `${disks.length / 2} disks`;
}

async function plan({ onevault, facts, cloud, signal }) {
  const { plans } = await onevault.document(['plan', String(cloud.ids.vm)], { signal });
  assert.notEqual(plans[0].verdict, 'impossible');
  facts.planned = plans[0].disks.filter((disk) => disk.verdict === 'capture');
  return facts.planned.map((disk) => `disk ${disk.diskId} ${disk.method}`).join(', ');
}

async function backup({ onevault, cloud, signal }) {
  const { backups } = await onevault.document(['backup', String(cloud.ids.vm)], { signal });
  const [report] = backups;
  assert.deepEqual(report.residue, []);
  assert.deepEqual(
    report.disks.map((disk) => disk.diskId),
    (await cloud.imageDisks()).map((disk) => disk.diskId),
    'a disk of the VM is not in the backup',
  );
  return report;
}

async function backupRunning(job) {
  const report = await backup(job);
  assert.equal(job.cloud.one.vmStateName(await job.cloud.vm()), 'RUNNING');
  assert.equal(report.mode, 'full');
  job.facts.first = report;
  return describe(report);
}

async function change({ cloud, onevault, between, signal }) {
  await cloud.api.updateVm(cloud.ids.vm, { ONEVAULT_TRY: 'yes' });
  if (between) {
    const { code, stderr } = await onevault.shell(between, { signal });
    assert.equal(code, 0, `--between ended with ${code}: ${stderr}`);
  }
  await cloud.powerOff();
}

async function takeReferences({ cloud, facts, signal }) {
  facts.references = new Map();
  for (const disk of await cloud.imageDisks()) facts.references.set(disk.diskId, await cloud.digestOfDisk(disk, { signal }));
  return [...facts.references].map(([id, digest]) => `disk ${id} sha256 ${digest.slice(0, 12)}`).join(', ');
}

async function backupOff(job) {
  const report = await backup(job);
  assert.equal(report.mode, 'incremental');
  assert.equal(report.parentId, job.facts.first.pointId);
  job.facts.second = report;
  return describe(report);
}

const describe = (report) =>
  `${report.mode}, ${report.disks.map((disk) => `disk ${disk.diskId} ${disk.method} ${disk.stats.changedBlocks} blocks changed`).join(', ')}`;

async function verify({ onevault, signal }) {
  const document = await onevault.document(['verify'], { signal });
  assert.equal(document.damaged ?? 0, 0);
}

async function restore({ onevault, cloud, facts, signal }) {
  const name = `${cloud.prefix}restored`;
  facts.restored = await onevault.document(['restore', facts.second.pointId, '--name', name, '--hold'], { signal });
  assert.deepEqual(facts.restored.residue, []);
  const vm = await cloud.vm(facts.restored.vmId);
  assert.equal(cloud.one.vmStateName(vm), 'HOLD');
  assert.equal(vm.userTemplate.ONEVAULT_TRY, 'yes', 'the change of the VM itself is not in the restored one');
  return `VM ${vm.id} with ${vm.disks.length} disks`;
}

/** The VM goes first: an image it has taken could not be attached elsewhere if it is persistent. On hold it has never run and written nothing. */
async function compare({ cloud, facts, signal }) {
  const vm = await cloud.vm(facts.restored.vmId);
  const restored = facts.restored.disks.map((disk) => ({ diskId: Number(/\d+$/.exec(disk.key)[0]), imageId: disk.imageId }));
  assert.deepEqual(
    restored.map((disk) => disk.diskId),
    [...facts.references.keys()],
  );
  assert.ok(restored.every((disk) => vm.disks.some((one) => one.imageId === disk.imageId)));
  await cloud.terminate(vm.id);
  for (const { diskId, imageId } of restored) {
    const { sizeMiB } = await cloud.api.image(imageId);
    const digest = await cloud.digestOfImage(imageId, sizeMiB, { signal });
    assert.equal(digest, facts.references.get(diskId), `disk ${diskId} was restored with other bytes`);
  }
  return `${restored.length} disks, byte for byte`;
}
