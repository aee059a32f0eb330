import type { Attributes, Vm } from '@onevault/one-client';
import { text, vectors } from '../attributes.ts';

/**
 * A first serial port of the guest that qemu connects to us, as RAW of TYPE kvm, which OpenNebula writes into the domain as it is (LibVirtDriverKVM.cc);
 * RAW/DATA is restricted to the group oneadmin (VM_RESTRICTED_ATTR). With `reconnect` a listener that is not there, or goes away, never keeps the guest from
 * starting or running. The saved RAW stays beside it.
 */
export function serialDevice(saved: Vm, place: { readonly host: string; readonly port: number }): Attributes {
  const source = `<source mode='connect' host='${escaped(place.host)}' service='${place.port}'><reconnect enabled='yes' timeout='2'/></source>`;
  const data = `<devices><serial type='tcp'>${source}<protocol type='raw'/></serial></devices>`;
  return { RAW: [...vectors(saved.template['RAW']), { TYPE: 'kvm', DATA: data }] };
}

function escaped(value: string): string {
  return value.replace(/[&<>'"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** It has a serial port of its own already: ours would be the second, which nobody writes to. */
export function hasOwnSerial(saved: Vm): boolean {
  return rawData(saved).some((data) => /<serial\b|<console\b|-serial\b/i.test(data));
}

/** What in RAW may connect the guest to a network or to a device of the host, cards or no cards. */
export function rawMayConnect(saved: Vm): boolean {
  return rawData(saved).some((data) => /<interface\b|<hostdev\b|<filesystem\b|<channel\b|<redirdev\b|-net\b|-netdev\b|-nic\b|-device\b|-chardev\b/i.test(data));
}

function rawData(saved: Vm): string[] {
  return vectors(saved.template['RAW']).map((raw) => text(raw['DATA']) ?? '');
}
