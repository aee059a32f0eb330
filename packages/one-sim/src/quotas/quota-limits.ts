import type { World } from '../model/world.ts';
import type { Quotas } from '../model/world-schema.ts';
import { type Attributes, type Vector, vectorsOf } from '../template/attributes.ts';

export type QuotaSection = keyof Quotas;

/** Limits of a metric: -1 means the default (here always none), -2 means none (src/um/Quota.cc). */
export const DEFAULT_LIMIT = -1;
export const UNLIMITED = -2;

export function noQuotas(): Quotas {
  return { DATASTORE: {}, NETWORK: {}, VM: {}, IMAGE: {} };
}

const VM_METRICS = ['VMS', 'RUNNING_VMS', 'CPU', 'RUNNING_CPU', 'MEMORY', 'RUNNING_MEMORY'];

/** Metrics of a quota in the order they are checked; 7.0 added the PCI ones (src/um/QuotaVirtualMachine.cc). */
export function metricsOf(world: World, section: QuotaSection): readonly string[] {
  switch (section) {
    case 'DATASTORE':
      return ['SIZE', 'IMAGES'];
    case 'NETWORK':
      return ['LEASES'];
    case 'IMAGE':
      return ['RVMS'];
    case 'VM': {
      const pci = world.atLeast(7, 0) ? ['PCI_DEV', 'RUNNING_PCI_DEV', 'PCI_NIC', 'RUNNING_PCI_NIC'] : [];
      return [...VM_METRICS, ...pci, 'SYSTEM_DISK_SIZE'];
    }
  }
}

const SECTIONS: readonly QuotaSection[] = ['DATASTORE', 'NETWORK', 'IMAGE', 'VM'];

/** Quotas::set: takes the limits the template names; a text is the refusal. */
export function setLimits(world: World, quotas: Quotas, template: Attributes): string | undefined {
  const named = SECTIONS.flatMap((section) => vectorsOf(template, section).map((vector) => ({ section, vector })));
  for (const { section, vector } of named) {
    const limits = limitsOf(world, section, vector);
    const id = section === 'VM' ? '' : (vector['ID'] ?? 'none');
    if (!limits || !/^\d*$/.test(id)) return `Negative limits or bad format in quota ${section} = [ ${marshall(vector)} ]`;
    if (Object.values(limits).every((limit) => limit === DEFAULT_LIMIT)) delete quotas[section][id];
    else quotas[section][id] = limits;
  }
  return undefined;
}

function limitsOf(world: World, section: QuotaSection, vector: Vector): Record<string, number> | undefined {
  const limits: Record<string, number> = {};
  for (const metric of metricsOf(world, section)) {
    const text = vector[metric] ?? '';
    const limit = text === '' ? DEFAULT_LIMIT : Number(text);
    if (Number.isNaN(limit) || (limit < 0 && limit !== DEFAULT_LIMIT && limit !== UNLIMITED)) return undefined;
    limits[metric] = limit;
  }
  return limits;
}

function marshall(vector: Vector): string {
  return Object.keys(vector)
    .sort()
    .map((name) => `${name}=${vector[name]}`)
    .join(',');
}
