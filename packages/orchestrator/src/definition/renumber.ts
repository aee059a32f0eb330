import type { Attributes } from '@onevault/one-client';
import { text, vectors } from '../attributes.ts';
import type { Renewal } from './attribute-rule.ts';

/** OS/BOOT (`disk0,nic1`) names devices by number: those that are not there any more leave it, the others go by their new one. */
export function renumberedBoot(boot: string, { diskIds, nicIds }: Pick<Renewal, 'diskIds' | 'nicIds'>): string {
  const devices = boot.split(',').map((device) => {
    const [, kind = '', id = ''] = /^(disk|nic)(\d+)$/i.exec(device.trim()) ?? [];
    if (kind === '') return device; // older forms (`hd,cdrom`) have no numbers
    const now = (kind.toLowerCase() === 'disk' ? diskIds : nicIds).get(id);
    return now === undefined ? '' : `${kind}${now}`;
  });
  return devices.filter((device) => device !== '').join(',');
}

export interface RenumberedCards {
  readonly ids: ReadonlyMap<string, number>;
  readonly names: ReadonlyMap<string, string>;
}

/**
 * Numbers of the cards that come back, in the order in which OpenNebula gives them: NIC, then PCI devices that are cards, then NIC_ALIAS
 * (VirtualMachine::get_network_leases). A card without a name of its own is called after its number, and an alias names its parent by it.
 */
export function renumberCards(template: Attributes, keeps: { readonly nics: boolean; readonly pci: boolean }): RenumberedCards {
  const pci = keeps.pci ? vectors(template['PCI']).filter((device) => device['TYPE'] === 'NIC') : [];
  const cards = keeps.nics ? [...vectors(template['NIC']), ...pci, ...vectors(template['NIC_ALIAS'])] : [];
  const ids = new Map<string, number>();
  const names = new Map<string, string>();
  for (const [id, card] of cards.entries()) {
    const old = text(card['NIC_ID']);
    if (old !== undefined) ids.set(old, id);
    const name = text(card['NAME']) ?? (old === undefined ? undefined : `NIC${old}`);
    if (name !== undefined) names.set(name, /^NIC\d+$/.test(name) ? `NIC${id}` : name);
  }
  return { ids, names };
}

/** A list of DISK_IDs by their new numbers; without those that are gone. */
export function renumberedDiskIds(ids: string, diskIds: ReadonlyMap<string, number>): string {
  return ids
    .split(',')
    .flatMap((id) => diskIds.get(id.trim()) ?? [])
    .join(',');
}
