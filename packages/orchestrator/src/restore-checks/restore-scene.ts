import { type CallOptions, errorCode } from '@onevault/base';
import type { Attributes, Host, Network, OneApi, VmId } from '@onevault/one-client';
import { number, text } from '../attributes.ts';
import { networkCards } from '../definition/network-map.ts';
import type { Definition } from '../definition/new-definition.ts';
import { readSurroundings, type Surroundings } from '../plan/surroundings.ts';
import type { RestoreRequest } from '../request.ts';
import type { RestorePlan } from '../restore-plan.ts';

/** All that the checks look at: read once, so that they are pure. */
export interface RestoreScene {
  readonly plan: RestorePlan;
  readonly request: RestoreRequest;
  readonly definition: Definition;
  readonly surroundings: Surroundings;
  /** Networks of the new cards, by id; `gone` also stands for one that we may not use. */
  readonly networks: ReadonlyMap<number, Network | 'gone'>;
  /** Undefined: they could not be read. */
  readonly hosts: readonly Host[] | undefined;
  /** All the hosts there are, not just those the user may see. */
  readonly allHosts: boolean;
}

/** A card of the new VM: NIC, NIC_ALIAS, or a PCI device that is one. */
export interface NewCard {
  readonly label: string;
  readonly networkId: number | undefined;
  readonly attributes: Attributes;
}

export function newCards({ definition }: Pick<RestoreScene, 'definition'>): readonly NewCard[] {
  return networkCards(definition.template).map((attributes, at) => ({
    label: `card ${at} in network ${[text(attributes['NETWORK_ID']), text(attributes['NETWORK'])].filter((part) => part !== undefined).join(' ')}`,
    networkId: number(attributes['NETWORK_ID']),
    attributes,
  }));
}

/** As many calls as the VM has networks, and a handful more. */
export async function readRestoreScene(
  deps: { readonly cloud: OneApi; readonly proxyVm: VmId | undefined },
  plan: RestorePlan,
  request: RestoreRequest,
  definition: Definition,
  options: CallOptions,
): Promise<RestoreScene> {
  const { cloud } = deps;
  const surroundings = await readSurroundings(cloud, deps.proxyVm, options);
  const networks = new Map<number, Network | 'gone'>();
  for (const { networkId } of newCards({ definition })) {
    if (networkId === undefined || networks.has(networkId)) continue;
    networks.set(networkId, (await unlessUnreadable(cloud.network(networkId, options))) ?? 'gone');
  }
  const hosts = await unlessUnreadable(cloud.hosts(options));
  const isAdmin = surroundings.caller?.user.groupIds.includes(0) === true;
  return { plan, request, definition, surroundings, networks, hosts, allHosts: isAdmin };
}

async function unlessUnreadable<T>(read: Promise<T>): Promise<T | undefined> {
  try {
    return await read;
  } catch (error) {
    if (['ONE_NO_EXISTS', 'ONE_AUTHORIZATION'].includes(errorCode(error) ?? '')) return undefined;
    throw error;
  }
}
