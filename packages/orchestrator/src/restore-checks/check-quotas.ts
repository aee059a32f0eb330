import { datastoreId, datastoreQuota, networkQuota, type Quota, type Quotas, quotaLeft, vmQuota } from '@onevault/one-client';
import { text } from '../attributes.ts';
import { concern, fine, type RestoreFinding } from './restore-finding.ts';
import { newCards, type RestoreScene } from './restore-scene.ts';
import { transferTarget } from './system-datastore.ts';

/** One limit that the restore uses up more of. */
interface Demand {
  readonly quota: Quota;
  readonly amount: number;
  readonly what: string;
}

/** What the restore takes of the quotas of the user we act as and of its group; those of uid 0 and gid 0 are not enforced (src/um/Quotas.cc). */
export function checkQuotas(scene: RestoreScene): RestoreFinding[] {
  const { caller } = scene.surroundings;
  if (caller === undefined) return [concern('unknown', 'QUOTA_UNKNOWN', 'quotas', 'they cannot be read', 'check ONE_AUTH')];
  const { user, groupQuotas } = caller;
  if (user.id === 0) return [fine('QUOTA', `user ${user.name}`, 'has no quotas')];
  const whose: readonly (readonly [string, string, Quotas | undefined])[] = [
    [`user ${user.name}`, `oneuser quota ${user.id}`, user.quotas],
    [`group ${user.gid}`, `onegroup quota ${user.gid}`, user.gid === 0 ? undefined : groupQuotas],
  ];
  const findings = whose.flatMap(([what, command, quotas]) => (quotas === undefined ? [] : exceeded(scene, what, command, quotas)));
  if (user.gid !== 0 && groupQuotas === undefined)
    findings.push(concern('unknown', 'QUOTA_UNKNOWN', `group ${user.gid}`, 'its quotas cannot be read', 'ask an administrator'));
  return findings.length > 0 ? findings : [fine('QUOTA', `user ${user.name}`, 'has room in its quotas')];
}

function exceeded(scene: RestoreScene, what: string, command: string, quotas: Quotas): RestoreFinding[] {
  return [...imageDemands(scene, quotas), ...vmDemands(scene, quotas), ...networkDemands(scene, quotas)]
    .filter(({ quota, amount }) => amount > quotaLeft(quota))
    .map((demand) =>
      concern('error', 'QUOTA', what, `${demand.amount} of ${demand.what} are needed, its quota leaves ${quotaLeft(demand.quota)}`, `raise it (${command})`),
    );
}

function imageDemands({ plan }: RestoreScene, quotas: Quotas): Demand[] {
  return [...new Set(plan.images.map(({ spec }) => spec.datastore))].flatMap((id) => {
    const specs = plan.images.filter(({ spec }) => spec.datastore === id).map(({ spec }) => spec);
    const saved = specs.filter(({ method }) => method === 'saveas').map(({ sizeMiB }) => sizeMiB);
    const { sizeMiB, images } = datastoreQuota(quotas, datastoreId(id));
    const final = specs.reduce((sum, spec) => sum + spec.sizeMiB, 0);
    return [
      { quota: sizeMiB, amount: final + Math.max(0, ...saved), what: `MiB in datastore ${id}` },
      { quota: images, amount: specs.length + (saved.length > 0 ? 1 : 0), what: `images in datastore ${id}` },
    ];
  });
}

function vmDemands({ plan, request, definition, surroundings }: RestoreScene, quotas: Quotas): Demand[] {
  const quota = vmQuota(quotas);
  const cpu = Number(text(definition.template['CPU']) ?? 0);
  const memory = Number(text(definition.template['MEMORY']) ?? 0);
  const system = plan.volatile.reduce((sum, disk) => sum + disk.sizeMiB, 0) + copiedMiB(plan, surroundings.datastores);
  const running = request.hold
    ? []
    : [
        { quota: quota.runningVms, amount: 1, what: 'running VMs' },
        { quota: quota.runningCpu, amount: cpu, what: 'CPU of running VMs' },
        { quota: quota.runningMemoryMiB, amount: memory, what: 'MiB of memory of running VMs' },
      ];
  return [
    { quota: quota.vms, amount: 1, what: 'VMs' },
    { quota: quota.cpu, amount: cpu, what: 'CPU' },
    { quota: quota.memoryMiB, amount: memory, what: 'MiB of memory' },
    ...running,
    { quota: quota.systemDiskMiB, amount: system, what: 'MiB in system datastores' },
  ];
}

/** Copies of non-persistent images count where the datastore puts them (VirtualMachineDisk, system_ds_size). */
function copiedMiB(plan: RestoreScene['plan'], datastores: RestoreScene['surroundings']['datastores']): number {
  return plan.images.reduce((sum, { spec }) => {
    const datastore = datastores?.find(({ id }) => id === spec.datastore);
    return !spec.persistent && datastore !== undefined && transferTarget(datastore, datastore, false) === 'SYSTEM' ? sum + spec.sizeMiB : sum;
  }, 0);
}

function networkDemands(scene: RestoreScene, quotas: Quotas): Demand[] {
  const ids = newCards(scene).flatMap(({ networkId }) => networkId ?? []);
  return [...new Set(ids)].map((id) => ({
    quota: networkQuota(quotas, id),
    amount: ids.filter((other) => other === id).length,
    what: `addresses in network ${id}`,
  }));
}
