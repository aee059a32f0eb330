import type { Network } from './world-schema.ts';

/** The address at `offset` of the network's one IPv4 range. */
export function leaseAddress(network: Network, offset: number): string {
  return formatIp(parseIp(network.firstIp) + offset);
}

/** OpenNebula derives the MAC from the IP: 02:00 then the four bytes. */
export function leaseMac(network: Network, offset: number): string {
  const bytes = leaseAddress(network, offset).split('.').map(Number);
  return ['02', '00', ...bytes.map((byte) => byte.toString(16).padStart(2, '0'))].join(':');
}

/** The offset of an address in the range, or undefined when it lies outside. */
export function leaseOffset(network: Network, ip: string): number | undefined {
  const offset = parseIp(ip) - parseIp(network.firstIp);
  return Number.isInteger(offset) && offset >= 0 && offset < network.size ? offset : undefined;
}

/** Takes the address asked for, or the first free one; undefined when there is none. */
export function takeLease(network: Network, vmId: number, ip: string | undefined): number | undefined {
  const wanted = ip === undefined ? firstFree(network) : leaseOffset(network, ip);
  if (wanted === undefined || String(wanted) in network.leases) return undefined;
  network.leases[String(wanted)] = vmId;
  return wanted;
}

export function releaseLeases(network: Network, vmId: number): void {
  for (const [offset, holder] of Object.entries(network.leases)) {
    if (holder === vmId) delete network.leases[offset];
  }
}

function firstFree(network: Network): number | undefined {
  for (let offset = 0; offset < network.size; offset++) if (!(String(offset) in network.leases)) return offset;
  return undefined;
}

const parseIp = (ip: string): number => ip.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0);
const formatIp = (value: number): string => [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
