import type { Attributes, Vm } from '@onevault/one-client';
import { text, vectors } from '../attributes.ts';
import type { NetworkChange } from '../request.ts';

export interface NetworkChoice {
  readonly id: number;
  readonly name: string;
}

/** Where the NICs of a saved network go, by its id. */
export type NetworkTargets = ReadonlyMap<string, NetworkChoice>;

/** What is wrong with a change that was asked for. `choices`: what it could say. */
export interface NetworkProblem {
  readonly code: 'NETWORK_FROM_UNKNOWN' | 'NETWORK_FROM_AMBIGUOUS' | 'NETWORK_TO_UNKNOWN';
  readonly text: string;
  readonly choices: readonly string[];
}

/** The vectors of a VM that hold an address of a network: NIC, NIC_ALIAS, and PCI devices that are network cards. */
export function networkCards(template: Attributes): readonly Attributes[] {
  const pci = vectors(template['PCI']).filter((device) => device['TYPE'] === 'NIC');
  return [...vectors(template['NIC']), ...vectors(template['NIC_ALIAS']), ...pci];
}

/** The id of a card's network; its name for bodies so old that they have none. */
export function networkKey(card: Attributes): string | undefined {
  return text(card['NETWORK_ID']) ?? text(card['NETWORK']);
}

/** Lays the changes over the networks of the saved VM. One that names nothing, or more than one thing, is a problem, never passed over. */
export function chooseNetworks(
  saved: Pick<Vm, 'template'>,
  changes: readonly NetworkChange[],
  available: readonly NetworkChoice[],
): { readonly targets: NetworkTargets; readonly problems: readonly NetworkProblem[] } {
  const targets = new Map<string, NetworkChoice>();
  const problems: NetworkProblem[] = [];
  const cards = networkCards(saved.template);
  for (const { from, to } of changes) {
    const keys = new Set(cards.filter((card) => text(card['NETWORK_ID']) === from || text(card['NETWORK']) === from).flatMap((card) => networkKey(card) ?? []));
    const target = available.find(({ id }) => id === to);
    const [key] = keys;
    if (key === undefined) problems.push({ code: 'NETWORK_FROM_UNKNOWN', text: `the saved VM has no card in a network '${from}'`, choices: namesOf(cards) });
    else if (keys.size > 1) problems.push({ code: 'NETWORK_FROM_AMBIGUOUS', text: `the saved VM has cards in several networks '${from}'`, choices: [...keys] });
    else if (target === undefined) {
      const choices = available.map(({ id, name }) => `${id} ${name}`);
      problems.push({ code: 'NETWORK_TO_UNKNOWN', text: `there is no network ${to} that we may use`, choices });
    } else targets.set(key, target);
  }
  return { targets, problems };
}

function namesOf(cards: readonly Attributes[]): string[] {
  return [...new Set(cards.map((card) => [text(card['NETWORK_ID']), text(card['NETWORK'])].filter((part) => part !== undefined).join(' ')))];
}
