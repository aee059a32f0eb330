export interface HttpLimits {
  readonly connections: number;
  /** From the first byte of a request to the end of its headers, and to the end of its body. */
  readonly headersMs: number;
  readonly requestMs: number;
  /** Without a byte in either direction. */
  readonly idleSocketMs: number;
  readonly bodyBytes: number;
  readonly perAddressPerMinute: number;
  readonly perCallerPerMinute: number;
  /** Refusals of callers that nobody knows, by address. */
  readonly unknownPerMinute: number;
  readonly streamsPerUser: number;
  readonly streams: number;
  readonly heartbeatMs: number;
  /** Beyond either of them requests are answered 503 until it is better; 0: not looked at. */
  readonly eventLoopDelayMs: number;
  readonly rssBytes: number;
}

export const HTTP_LIMITS: HttpLimits = {
  connections: 2_000,
  headersMs: 10_000,
  requestMs: 60_000,
  idleSocketMs: 300_000,
  bodyBytes: 256 * 1024,
  perAddressPerMinute: 3_000,
  perCallerPerMinute: 1_500,
  unknownPerMinute: 60,
  streamsPerUser: 20,
  streams: 400,
  heartbeatMs: 15_000,
  eventLoopDelayMs: 500,
  rssBytes: 0,
};

export interface HttpSettings {
  /** Default 127.0.0.1. */
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** PEM files; read again when they change. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string } | undefined;
  /** Listen elsewhere than on loopback without TLS. */
  readonly insecure?: boolean | undefined;
  /** Addresses or networks of reverse proxies whose X-Forwarded-* headers are believed. */
  readonly trustedProxies?: readonly string[] | undefined;
  /** As browsers see it, where a proxy stands before: `https://backup.example.org`. */
  readonly publicUrl?: URL | undefined;
  /** The built web UI; undefined: there is none. */
  readonly webRoot?: string | undefined;
  readonly limits?: Partial<HttpLimits> | undefined;
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}
