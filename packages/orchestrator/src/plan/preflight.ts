import { type Datastore, datastoreQuota, isCloudAdmin, mayCreate, mayDo, quotaLeft, type RightsVerdict, type Vm } from '@onevault/one-client';
import type { DiskCapture, DiskPlan, PlanRequest, Reason } from './plan-model.ts';
import { reason, said } from './reason.ts';
import type { Caller, Surroundings } from './surroundings.ts';

/** The plan's disks after a look at what OpenNebula would refuse whatever the driver: space, quotas, rights, and where the proxy is. */
export interface Checked {
  readonly disks: readonly DiskPlan[];
  readonly refusals: readonly Reason[];
  readonly notes: readonly Reason[];
  readonly assumptions: readonly Reason[];
}

/** What was found out about one thing: it is in the way, it is tight, or it is not known. */
interface Finding {
  readonly refusal?: Reason | undefined;
  readonly assumption?: Reason | undefined;
}

/** Pure. Each disk is saved into the datastore of its image, as an image of the caller (opennebula.md section f). */
export function preflight(vm: Vm, disks: readonly DiskPlan[], request: PlanRequest, surroundings: Surroundings): Checked {
  const captures = disks.filter((disk) => disk.verdict === 'capture');
  if (captures.length === 0) return { disks, refusals: [], notes: [], assumptions: [] };
  const onVm = [rightsOnVm(vm, surroundings.caller), rightToCreate(surroundings.caller), snapshotQuota(vm, captures)];
  const perDisk = new Map(captures.map((capture) => [capture, diskFindings(capture, surroundings)]));
  const findings = [...onVm, ...[...perDisk.values()].flat()];
  return {
    disks: disks.map((disk) => (disk.verdict === 'capture' ? withRefusals(disk, perDisk.get(disk) ?? []) : disk)),
    refusals: said(onVm.map((finding) => finding.refusal)),
    notes: said([tightSpace(captures, request, surroundings)]),
    assumptions: said(findings.map((finding) => finding.assumption)),
  };
}

function withRefusals(capture: DiskCapture, findings: readonly Finding[]): DiskPlan {
  const refusals = said(findings.map((finding) => finding.refusal));
  return refusals.length === 0 ? capture : { verdict: 'refuse', disk: capture.disk, reasons: refusals };
}

function diskFindings(capture: DiskCapture, { datastores, caller, proxyClusterId }: Surroundings): Finding[] {
  const datastore = datastores?.find((entry) => entry.id === capture.disk.datastoreId);
  if (datastore === undefined)
    return [{ assumption: reason('ASSUMED_SPACE', `that the datastore of disk ${capture.disk.diskId} has room for its copy: it could not be read`) }];
  return [
    { refusal: noSpace(capture, datastore) },
    { refusal: outOfReach(datastore, proxyClusterId) },
    quotaFinding(capture, datastore, caller),
    rightsOnDatastore(datastore, caller),
    rightsOnImage(capture, caller),
  ];
}

/** The check that oned makes at disksaveas, with the figure of the last monitoring (up to 300 s old). */
function noSpace({ disk }: DiskCapture, datastore: Datastore): Reason | undefined {
  if (datastore.capacityCheck === false || disk.sizeMiB <= datastore.availableMiB) return undefined;
  const text = `datastore ${datastore.id} '${datastore.name}' has ${datastore.availableMiB} MiB left; the copy of disk ${disk.diskId} needs ${disk.sizeMiB} MiB, if only on paper`;
  return reason('REFUSE_NO_SPACE', text, 'make room in the datastore, raise its LIMIT_MB, or set DATASTORE_CAPACITY_CHECK="no" in it when its storage is thin');
}

/** As many copies at a time as disks are read at a time. */
function tightSpace(captures: readonly DiskCapture[], request: PlanRequest, { datastores }: Surroundings): Reason | undefined {
  const parallel = request.parallelDisks ?? 1;
  for (const datastore of datastores ?? []) {
    if (datastore.capacityCheck === false) continue;
    const sizes = captures.filter((capture) => capture.disk.datastoreId === datastore.id).map((capture) => capture.disk.sizeMiB);
    const [largest = 0] = sizes.sort((a, b) => b - a);
    const together = sizes.slice(0, parallel).reduce((sum, size) => sum + size, 0);
    if (largest > datastore.availableMiB || together <= datastore.availableMiB) continue;
    const text = `datastore ${datastore.id} '${datastore.name}' has ${datastore.availableMiB} MiB left; ${parallel} copies at a time need ${together} MiB`;
    return reason('SPACE_TIGHT', text, 'read one disk at a time: --parallel-disks 1');
  }
  return undefined;
}

/** VirtualMachineDisks::get_images and ImageManager::acquire_image: "Image [57] is not part of cluster [0]". */
function outOfReach(datastore: Datastore, proxyClusterId: number | undefined): Reason | undefined {
  if (proxyClusterId === undefined || datastore.clusterIds.includes(proxyClusterId)) return undefined;
  const text = `datastore ${datastore.id} '${datastore.name}' is not in cluster ${proxyClusterId}, where the proxy VM is: its images cannot be attached there`;
  return reason(
    'REFUSE_PROXY_CLUSTER',
    text,
    `\`onecluster adddatastore ${proxyClusterId} ${datastore.id}\`, or back the VM up from a proxy VM in one of the datastore's clusters`,
  );
}

/** The copy is the caller's, and so is what it takes of quotas; those of uid 0 and of group 0 are not enforced (src/um/Quotas.cc). */
function quotaFinding({ disk }: DiskCapture, datastore: Datastore, caller: Caller | undefined): Finding {
  if (caller?.user.id === 0) return {};
  if (caller === undefined) return { assumption: reason('ASSUMED_QUOTA', 'that the quota of the user has room: it could not be read') };
  const { user, groupQuotas } = caller;
  const whose = [
    { who: `user ${user.name}`, quotas: user.quotas },
    { who: `group ${user.gid}`, quotas: user.gid === 0 ? undefined : groupQuotas },
  ];
  for (const { who, quotas } of whose) {
    if (quotas === undefined) continue;
    const { sizeMiB, images } = datastoreQuota(quotas, datastore.id);
    const left = quotaLeft(sizeMiB);
    if (disk.sizeMiB <= left && quotaLeft(images) >= 1) continue;
    const text = `the quota of ${who} in datastore ${datastore.id} '${datastore.name}' leaves ${left} MiB and ${quotaLeft(images)} images; the copy of disk ${disk.diskId} needs ${disk.sizeMiB} MiB and 1 image`;
    return { refusal: reason('REFUSE_QUOTA', text, `raise it (\`${who.startsWith('user') ? 'oneuser' : 'onegroup'} quota\`)`) };
  }
  if (groupQuotas !== undefined || user.gid === 0) return {};
  return { assumption: reason('ASSUMED_QUOTA', `that the quota of group ${user.gid} has room: it could not be read`) };
}

/** A snapshot counts as one more disk of that size, for whoever owns image or VM (opennebula.md e.4). */
function snapshotQuota(vm: Vm, captures: readonly DiskCapture[]): Finding {
  if (vm.uid === 0 || !captures.some((capture) => capture.method === 'snapshot')) return {};
  return { assumption: reason('ASSUMED_QUOTA', `that the quotas of the VM's owner ${vm.userName} have room for a snapshot of each disk`) };
}

function rightsOnVm(vm: Vm, caller: Caller | undefined): Finding {
  // A lock is told apart, with its own remedy.
  return rightsFinding(caller, 'MANAGE the VM', `\`onevm chmod ${vm.id} 660\` and the group, or an access rule`, ({ user, rules }) =>
    mayDo(user, 'manage', { ...vm, kind: 'VM' }, rules, { ignoreLock: true }),
  );
}

function rightToCreate(caller: Caller | undefined): Finding {
  return rightsFinding(caller, 'CREATE images', '`oneacl create "#<user> IMAGE/* CREATE *"`', ({ user, rules }) => mayCreate(user, 'IMAGE', rules));
}

function rightsOnDatastore(datastore: Datastore, caller: Caller | undefined): Finding {
  return rightsFinding(
    caller,
    `USE datastore ${datastore.id} '${datastore.name}'`,
    `\`onedatastore chmod ${datastore.id} 644\`, or an access rule`,
    ({ user, rules }) => mayDo(user, 'use', { ...datastore, kind: 'DATASTORE' }, rules),
  );
}

/** Whose image it is does not stand in the VM's body. */
function rightsOnImage({ method, disk }: DiskCapture, caller: Caller | undefined): Finding {
  if (method !== 'snapshot' || !disk.persistent || caller === undefined || isCloudAdmin(caller.user)) return {};
  return {
    assumption: reason('ASSUMED_RIGHTS', `that user ${caller.user.name} may MANAGE image ${disk.imageId}, which a snapshot of a persistent disk needs`),
  };
}

function rightsFinding(caller: Caller | undefined, what: string, remedy: string, ask: (caller: Caller) => RightsVerdict): Finding {
  const verdict = caller === undefined ? ({ may: 'unknown' } as const) : ask(caller);
  switch (verdict.may) {
    case 'yes':
      return {};
    case 'unknown':
      return { assumption: reason('ASSUMED_RIGHTS', `that the user may ${what}: its rights could not be read`) };
    case 'no':
      return { refusal: reason('REFUSE_RIGHTS', `user ${caller?.user.name} may not ${what}${verdict.why === 'locked' ? ': it is locked' : ''}`, remedy) };
  }
}
