import { errorCode } from '@onevault/base';
import { OneError } from './errors.ts';
import type { XmlRpcCall } from './transport.ts';

/** The other side let go of the connection. `socket hang up` carries ECONNRESET too. */
export function isDeadSocket(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'ECONNRESET' || code === 'EPIPE';
}

/** What went wrong under HTTP. Retryable only where a repetition can do no harm. */
export function connectionError(error: unknown, call: XmlRpcCall, endpoint: URL): OneError {
  const code = errorCode(error) ?? '';
  const at = `${endpoint.origin}${endpoint.pathname}`;
  const text = error instanceof Error ? error.message : String(error);
  const details = { method: call.method, endpoint: at };
  if (code.startsWith('HPE_')) {
    return new OneError('ONE_RESPONSE_INVALID', `${call.method}: ${at} does not speak HTTP (${text})`, {
      details: { ...details, executed: 'unknown' },
      cause: error,
    });
  }
  const executed = wasNeverSent(error, code) ? 'no' : 'unknown';
  const tls = isTlsRefusal(code);
  return new OneError('ONE_UNREACHABLE', `${call.method}: no answer from ${at}: ${text}`, {
    details: { ...details, executed },
    retryable: !tls && (call.idempotent || executed === 'no'),
    cause: error,
    ...(tls ? { hint: TLS_HINT } : {}),
  });
}

const TLS_HINT = 'The certificate is not trusted, or the port does not speak TLS: put the issuer into ONE_CERT_DIR, or check http against https in ONE_XMLRPC';

function isTlsRefusal(code: string): boolean {
  return /^(CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_TLS|ERR_SSL|EPROTO)/.test(code) || code === 'HOSTNAME_MISMATCH';
}

/** Looking up the name, connecting and the TLS handshake come before the first byte of the call. */
function wasNeverSent(error: unknown, code: string): boolean {
  const syscall = error instanceof Error && 'syscall' in error ? error.syscall : undefined;
  return syscall === 'connect' || syscall === 'getaddrinfo' || code === 'ECONNREFUSED' || isTlsRefusal(code);
}
