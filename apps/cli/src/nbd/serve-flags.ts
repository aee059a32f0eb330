import { parseBytes } from '@onevault/composition';
import type { NbdAddress } from '@onevault/nbd-server';
import { InvalidArgumentError } from 'commander';
import { usageError } from '../errors.ts';

export interface ServeFlags {
  readonly vm?: string;
  readonly disk?: readonly string[];
  readonly socket?: string;
  readonly listen?: NbdAddress;
  readonly tlsDir?: string;
  readonly verifyClients?: boolean;
  readonly insecure?: boolean;
  readonly exportName?: string;
  readonly cache: number;
  /** True for a temporary file. */
  readonly writableOverlay?: string | true;
}

const MIN_CACHE_BYTES = 16 * 1024 * 1024;
/** The port that IANA keeps for NBD. */
const NBD_PORT = 10809;

/** `127.0.0.1`, `localhost:10809`, `[::1]:0`. */
export function parseListen(text: string): NbdAddress {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? NBD_PORT : Number(match[3]);
  if (host === undefined || port > 65_535) throw new InvalidArgumentError('HOST or HOST:PORT; an IPv6 address in brackets.');
  return { kind: 'tcp', host, port };
}

export function parseCache(text: string): number {
  const bytes = parseBytes(text);
  if (bytes === undefined || bytes < MIN_CACHE_BYTES) throw new InvalidArgumentError('a size of 16MiB at least, such as 256MiB.');
  return bytes;
}

export function collect(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

/** Flags that do not go together. */
export function checkFlags(flags: ServeFlags): void {
  if (flags.socket !== undefined && flags.listen !== undefined)
    throw usageError('--socket and --listen exclude one another', 'one server listens in one place');
  if (flags.verifyClients && flags.tlsDir === undefined) throw usageError('--verify-clients needs --tls-dir', 'clients show certificates only over TLS');
  if (flags.insecure && flags.tlsDir !== undefined) throw usageError('--insecure and --tls-dir exclude one another');
}
