import { type Attributes, type Datastore, HOST_STATE, type Host } from '@onevault/one-client';
import { text, vectors } from '../attributes.ts';
import { meetsRequirement } from './host-requirement.ts';
import { concern, fine, type RestoreFinding } from './restore-finding.ts';
import type { RestoreScene } from './restore-scene.ts';
import { fittingSystems, unfitImages } from './system-datastore.ts';

/** That there is a system datastore that can carry the disks, and a host with room for the VM; a VM in HOLD is placed later, so of it both are warnings. */
export function checkPlacement(scene: RestoreScene): RestoreFinding[] {
  return [...systemFindings(scene), ...hostFindings(scene)].map((finding) =>
    scene.request.hold && finding.severity === 'error' ? { ...finding, severity: 'warning' } : finding,
  );
}

function systemFindings(scene: RestoreScene): RestoreFinding[] {
  const { datastores } = scene.surroundings;
  if (datastores === undefined) return [];
  if (fittingSystems(scene, datastores).length > 0) return [];
  const { systemDatastore } = scene.request;
  const chosen = datastores.find(({ id }) => id === systemDatastore);
  const what = systemDatastore === undefined ? 'system datastores' : `system datastore ${systemDatastore}${chosen === undefined ? '' : ` ${chosen.name}`}`;
  return [
    concern(
      'error',
      'SYSTEM_DATASTORE',
      what,
      whyUnfit(scene, datastores, chosen),
      'choose another --system-datastore, or other image datastores (--image-datastore)',
    ),
  ];
}

function whyUnfit(scene: RestoreScene, datastores: readonly Datastore[], chosen: Datastore | undefined): string {
  if (scene.request.systemDatastore !== undefined && chosen === undefined) return 'it does not exist, or we may not use it';
  if (chosen === undefined) return 'none that we may use has a transfer driver that carries these images';
  const unfit = unfitImages(scene, datastores, chosen);
  if (unfit.length === 0) return 'it is no system datastore, or it is disabled';
  return `its driver ${chosen.tmMad} does not carry images of ${unfit.map(({ id, name, tmMad }) => `datastore ${id} ${name} (${tmMad})`).join(', ')}`;
}

function hostFindings(scene: RestoreScene): RestoreFinding[] {
  const { hosts, allHosts } = scene;
  if (hosts === undefined || (hosts.length === 0 && !allHosts))
    return [
      concern(
        'unknown',
        'HOSTS_UNKNOWN',
        'hosts',
        'we may not see them: whether one has room shows when the VM is placed',
        'ask an administrator, or use a user of the group oneadmin',
      ),
    ];
  const usable = hosts.filter((host) => host.state === HOST_STATE.INIT || host.state === HOST_STATE.MONITORED || host.state === 1);
  const meeting = usable.filter((host) => meets(scene, host));
  const severity = allHosts ? 'error' : 'warning';
  if (usable.length === 0) return [concern(severity, 'HOSTS_DOWN', 'hosts', 'none is enabled and monitored', 'enable a host, or wait for it')];
  if (meeting.length === 0) {
    const remedy = 'restore with --hold, change the requirement (onevm update), then onevm release';
    return [concern(severity, 'REQUIREMENTS_UNMET', 'hosts', `none of ${usable.length} meets ${requirements(scene).join(' and ')}`, remedy)];
  }
  const demand = demandOf(scene.definition.template);
  const lacks = meeting.map((host) => whatLacks(host, demand));
  const at = lacks.indexOf(undefined);
  if (at >= 0)
    return [
      fine(
        'CAPACITY',
        `host ${meeting[at]?.name}`,
        `has room for ${demand.cpu} CPU and ${demand.memoryMiB} MiB${demand.devices.length > 0 ? ', and the PCI devices' : ''}`,
      ),
    ];
  const why = `none of ${meeting.length} has room: ${meeting
    .map((host, index) => `${host.name} lacks ${lacks[index]}`)
    .slice(0, 3)
    .join('; ')}`;
  return [concern(severity, 'CAPACITY', 'hosts', why, 'make room, or restore with --hold and release the VM when there is some')];
}

/** A requirement that cannot be read counts as met: the scheduler will say. */
function meets({ definition, plan }: RestoreScene, host: Host): boolean {
  const policy = text(vectors(definition.template['TOPOLOGY'])[0]?.['PIN_POLICY'])?.toUpperCase() ?? 'NONE';
  if ((policy !== 'NONE') !== (text(host.template['PIN_POLICY'])?.toUpperCase() === 'PINNED')) return false;
  const requirement = text(definition.template['SCHED_REQUIREMENTS']);
  if (host.vmMad !== (text(definition.template['HYPERVISOR']) ?? plan.saved.history.at(-1)?.vmMad ?? 'kvm')) return false;
  return requirement === undefined || requirement === '' || meetsRequirement(host, requirement) !== false;
}

function requirements({ definition }: RestoreScene): string[] {
  const policy = text(vectors(definition.template['TOPOLOGY'])[0]?.['PIN_POLICY'])?.toUpperCase() ?? 'NONE';
  return ['HYPERVISOR', 'SCHED_REQUIREMENTS']
    .flatMap((name) => (text(definition.template[name]) === undefined ? [] : [`${name} ${text(definition.template[name])}`]))
    .concat(policy === 'NONE' ? [] : ['PIN_POLICY PINNED']);
}

interface Demand {
  readonly cpu: number;
  readonly memoryMiB: number;
  readonly devices: readonly Attributes[];
}

function demandOf(template: Attributes): Demand {
  return { cpu: Number(text(template['CPU']) ?? 0), memoryMiB: Number(text(template['MEMORY']) ?? 0), devices: vectors(template['PCI']) };
}

function whatLacks({ capacity, pciDevices }: Host, { cpu, memoryMiB, devices }: Demand): string | undefined {
  const freeCpu = (capacity.maxCpu - capacity.usedCpu) / 100;
  if (cpu > freeCpu) return `CPU (${freeCpu} of ${cpu})`;
  const freeMiB = Math.floor((capacity.maxMemoryKiB - capacity.usedMemoryKiB) / 1024);
  if (memoryMiB > freeMiB) return `memory (${freeMiB} of ${memoryMiB} MiB)`;
  const free = pciDevices.filter(({ vmId }) => vmId === undefined);
  for (const device of devices) {
    const at = free.findIndex((one) => isWanted(device, one));
    if (at < 0) return `a free PCI device ${describe(device)}`;
    free.splice(at, 1);
  }
  return undefined;
}

/** HostSharePCI::test: by address, or by each of vendor, device and class that is named. */
function isWanted(wanted: Attributes, device: Host['pciDevices'][number]): boolean {
  const address = text(wanted['SHORT_ADDRESS']);
  if (address !== undefined) return device.shortAddress === address;
  return (
    [
      ['VENDOR', device.vendor],
      ['DEVICE', device.device],
      ['CLASS', device.class],
    ] as const
  ).every(([name, value]) => text(wanted[name]) === undefined || Number.parseInt(text(wanted[name]) ?? '', 16) === Number.parseInt(value, 16));
}

function describe(device: Attributes): string {
  return ['SHORT_ADDRESS', 'VENDOR', 'DEVICE', 'CLASS']
    .flatMap((name) => (text(device[name]) === undefined ? [] : [`${name}=${text(device[name])}`]))
    .join(' ');
}
