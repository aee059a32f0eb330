import { isIPv6 } from 'node:net';
import type { NbdAddress } from './listen.ts';

/** The address of an export as libnbd, qemu and nbdinfo take it (the NBD URI specification). */
export function nbdUri(address: NbdAddress, exportName: string, tls = false): string {
  const scheme = tls ? 'nbds' : 'nbd';
  const name = encodeURIComponent(exportName);
  if (address.kind === 'unix') return `${scheme}+unix:///${name}?socket=${encodeURIComponent(address.path).replaceAll('%2F', '/')}`;
  const host = isIPv6(address.host) ? `[${address.host}]` : address.host;
  return `${scheme}://${host}:${address.port}/${name}`;
}
