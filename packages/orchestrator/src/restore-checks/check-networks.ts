import type { AddressRange, Network } from '@onevault/one-client';
import { text, vectors } from '../attributes.ts';
import { concern, fine, type RestoreFinding } from './restore-finding.ts';
import { type NewCard, newCards, type RestoreScene } from './restore-scene.ts';

/** That each card's network is there, is the one that was meant, and has the address that is asked for, or a free one. */
export function checkNetworks(scene: RestoreScene): RestoreFinding[] {
  const cards = newCards(scene);
  const findings = cards.flatMap((card) => cardFindings(scene, card));
  const full = [...scene.networks].flatMap(([id, network]) =>
    network === 'gone'
      ? []
      : fullNetwork(
          network,
          cards.filter(({ networkId }) => networkId === id),
        ),
  );
  return [...findings, ...full, ...goneGroups(scene)];
}

function cardFindings(scene: RestoreScene, card: NewCard): RestoreFinding[] {
  if (card.networkId === undefined) return byName(card);
  const network = scene.networks.get(card.networkId);
  if (network === undefined || network === 'gone') {
    const remedy = 'choose another one for it (--network), or restore without cards (--nics none)';
    return [concern('error', 'NETWORK_GONE', card.label, 'the network does not exist any more, or we may not use it', remedy)];
  }
  const name = text(card.attributes['NETWORK']);
  if (name !== undefined && name !== network.name) {
    const why = `network ${card.networkId} is called '${network.name}' now: it may be another one, and the VM may come from another OpenNebula`;
    return [concern('error', 'NETWORK_CHANGED', card.label, why, 'say which network is meant (--network)')];
  }
  const taken = takenAddress(network, card);
  if (taken !== undefined) return [concern('error', 'ADDRESS_TAKEN', card.label, taken, 'ask for new addresses (--nics new-addresses)')];
  return [fine('NETWORK', card.label, `is there${text(card.attributes['IP']) === undefined ? '' : `, with its address ${text(card.attributes['IP'])}`}`)];
}

/** A body so old that it knows no id: OpenNebula looks among the user's own networks. */
function byName(card: NewCard): RestoreFinding[] {
  if (text(card.attributes['NETWORK']) === undefined) return [];
  return [concern('unknown', 'NETWORK_BY_NAME', card.label, 'it is named by its name alone', 'say which network is meant (--network)')];
}

function takenAddress(network: Network, { attributes }: NewCard): string | undefined {
  for (const name of ['IP', 'IP6', 'MAC'] as const) {
    const wanted = text(attributes[name]);
    if (wanted === undefined) continue;
    const lease = network.ranges
      .flatMap(({ leases }) => leases)
      .find(({ ip, ip6, mac }) => ({ IP: ip, IP6: ip6, MAC: mac })[name]?.toLowerCase() === wanted.toLowerCase());
    if (lease !== undefined) return `${wanted} is in use${lease.vmId === undefined ? '' : ` by VM ${lease.vmId}`}`;
    if (name === 'IP' && !network.ranges.some((range) => contains(range, wanted))) return `${wanted} is in no address range of network ${network.id} any more`;
  }
  return undefined;
}

function contains({ firstIp, size }: AddressRange, ip: string): boolean {
  const first = firstIp === undefined ? undefined : addressNumber(firstIp);
  const wanted = addressNumber(ip);
  return first !== undefined && wanted !== undefined && wanted >= first && wanted < first + size;
}

function addressNumber(ip: string): number | undefined {
  const bytes = ip.split('.').map(Number);
  if (bytes.length !== 4 || bytes.some((byte) => !Number.isInteger(byte) || byte < 0 || byte > 255)) return undefined;
  return bytes.reduce((sum, byte) => sum * 256 + byte, 0);
}

function fullNetwork(network: Network, cards: readonly NewCard[]): RestoreFinding[] {
  const free = network.ranges.reduce((sum, range) => sum + Math.max(0, range.size - range.used), 0);
  if (free >= cards.length) return [];
  const why = `${cards.length} addresses are needed, ${free} are free`;
  return [concern('error', 'NETWORK_FULL', `network ${network.id} ${network.name}`, why, 'add an address range, or choose another network (--network)')];
}

/** Left out of the definition; said here because a guest is reachable in another way then. */
function goneGroups({ plan }: RestoreScene): RestoreFinding[] {
  const groups = [...plan.facts.goneSecurityGroups].map((id) =>
    concern(
      'warning',
      'SECURITY_GROUP_GONE',
      `security group ${id}`,
      'it does not exist any more, or we may not use it: its rules do not apply',
      'look at the security groups of the cards',
    ),
  );
  const vmGroups = vectors(plan.saved.template['VMGROUP']).flatMap((group) => {
    const id = text(group['VMGROUP_ID']) ?? '';
    return plan.facts.goneVmGroups.has(id)
      ? [
          concern(
            'warning',
            'VM_GROUP_GONE',
            `VM group ${id}`,
            'it does not exist any more, or we may not use it: its affinity does not apply',
            'make the group again, and add the VM',
          ),
        ]
      : [];
  });
  return [...groups, ...vmGroups];
}
