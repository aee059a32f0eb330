import type { World } from '../model/world.ts';
import type { Quotas } from '../model/world-schema.ts';
import { DEFAULT_LIMIT, metricsOf, type QuotaSection, UNLIMITED } from './quota-limits.ts';
import { type Owner, Usage, usageOf } from './quota-usage.ts';

const CHECK_ORDER: readonly QuotaSection[] = ['NETWORK', 'VM', 'IMAGE', 'DATASTORE'];

/** What a call is about to use, by section and quota ID, in the order oned checks them. */
export class QuotaRequest {
  /** All of a usage, in the order of Quotas::quota_check. */
  static of(usage: Usage): QuotaRequest {
    const request = new QuotaRequest();
    for (const section of CHECK_ORDER) for (const id of usage.ids(section)) request.want(section, id, usage.metrics(section, id));
    return request;
  }

  readonly #wanted: { readonly section: QuotaSection; readonly id: string; readonly usage: Usage }[] = [];

  want(section: QuotaSection, id: string | number, amounts: Readonly<Record<string, number>>): this {
    const usage = new Usage();
    for (const [metric, amount] of Object.entries(amounts)) usage.add(section, String(id), metric, amount);
    this.#wanted.push({ section, id: String(id), usage });
    return this;
  }

  get isEmpty(): boolean {
    return this.#wanted.length === 0;
  }

  /** The first limit it would pass, in oned's words (Quota::check_quota), or undefined. What was asked for earlier counts as used. */
  whyRefused(world: World, limits: Quotas, used: Usage): string | undefined {
    const taken = new Usage();
    for (const { section, id, usage } of this.#wanted) {
      for (const metric of metricsOf(world, section)) {
        const more = usage.amount(section, id, metric);
        if (more === 0) continue;
        const limit = limits[section][id]?.[metric] ?? DEFAULT_LIMIT;
        const total = used.amount(section, id, metric) + taken.amount(section, id, metric) + more;
        if (limit !== DEFAULT_LIMIT && limit !== UNLIMITED && total > limit) {
          return `limit of ${floatText(limit)} reached for ${metric} quota in ${section}${id === '' ? '' : ` with ID: ${id}`}`;
        }
        taken.add(section, id, metric, more);
      }
    }
    return undefined;
  }
}

/** Request::quota_authorization: the user's quotas, then the group's; oneadmin and its group have none. The text of the refusal, or undefined. */
export function whyOverQuota(world: World, owner: { readonly uid: number; readonly gid: number }, request: QuotaRequest): string | undefined {
  if (request.isEmpty) return undefined;
  const check = (limits: Quotas | undefined, of: Owner, name: string): string | undefined => {
    const text = limits && isLimited(limits) ? request.whyRefused(world, limits, usageOf(world, of)) : undefined;
    return text === undefined ? undefined : `${name} ${text}`;
  };
  const ofUser = owner.uid === 0 ? undefined : check(world.users.get(owner.uid)?.quotas, { uid: owner.uid }, `user [${owner.uid}]`);
  if (ofUser !== undefined || owner.gid === 0) return ofUser;
  return check(world.groups.get(owner.gid)?.quotas, { gid: owner.gid }, `group [${owner.gid}]`);
}

function isLimited(limits: Quotas): boolean {
  return Object.values(limits).some((section) => Object.keys(section).length > 0);
}

/** A float as an ostream prints it: six significant digits. */
function floatText(value: number): string {
  const [digits = '', exponent] = value.toPrecision(6).split('e');
  if (exponent === undefined) return String(Number(digits));
  return `${Number(digits)}e${exponent.startsWith('-') ? '-' : '+'}${exponent.replace(/^[+-]/, '').padStart(2, '0')}`;
}
