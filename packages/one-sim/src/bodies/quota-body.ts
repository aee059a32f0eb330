import type { World } from '../model/world.ts';
import type { Quotas } from '../model/world-schema.ts';
import { DEFAULT_LIMIT, metricsOf, type QuotaSection } from '../quotas/quota-limits.ts';
import { type Owner, type Usage, usageOf } from '../quotas/quota-usage.ts';
import type { Vector } from '../template/attributes.ts';
import { element, vectorFields } from './element.ts';

const ORDER: readonly QuotaSection[] = ['DATASTORE', 'NETWORK', 'VM', 'IMAGE'];
const NONE = ORDER.map((section) => element(`${section}_QUOTA`, '')).join('');

/** Quotas::to_xml: what has a limit or is used; the rest is not printed (Quota::cleanup_quota). */
export function quotasBody(world: World, quotas: Quotas, owner: Owner): string {
  if (('uid' in owner ? owner.uid : owner.gid) === 0) return NONE; // nothing is counted for oneadmin and its group
  const usage = usageOf(world, owner);
  return ORDER.map((section) => element(`${section}_QUOTA`, sectionBody(world, section, quotas, usage))).join('');
}

function sectionBody(world: World, section: QuotaSection, quotas: Quotas, usage: Usage): string {
  const ids = [...new Set([...Object.keys(quotas[section]), ...usage.ids(section)])].sort((a, b) => Number(a) - Number(b));
  return ids.map((id) => element(section, vectorFields(quotaVector(world, section, id, quotas, usage)))).join('');
}

function quotaVector(world: World, section: QuotaSection, id: string, quotas: Quotas, usage: Usage): Vector {
  const vector: Vector = id === '' ? {} : { ID: id };
  for (const metric of metricsOf(world, section)) {
    vector[metric] = floatToStr(quotas[section][id]?.[metric] ?? DEFAULT_LIMIT);
    vector[`${metric}_USED`] = floatToStr(usage.amount(section, id, metric));
  }
  return vector;
}

/** one_util::float_to_str: no decimals for a whole number, two for another. */
function floatToStr(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(2);
}

/** DEFAULT_USER_QUOTAS or DEFAULT_GROUP_QUOTAS: none are set here. */
export function defaultQuotasBody(kind: 'USER' | 'GROUP'): string {
  return element(`DEFAULT_${kind}_QUOTAS`, NONE);
}
