import { type Clock, type Logger, Scope, type Secret, silentLogger, systemClock } from '@onevault/base';
import { unwrapAnswer } from './answer.ts';
import type { OneApi } from './api.ts';
import { type CallDeps, callerOver, type Unreadable } from './caller.ts';
import { type HttpTransportOptions, httpTransport, MAX_SOCKETS } from './http-transport.ts';
import { imageCalls } from './image-calls.ts';
import { infrastructureCalls } from './infrastructure-calls.ts';
import { templateCalls } from './template-calls.ts';
import { composeTransport, type Transport, withConcurrency, withRetry, withTimeout, withTrace } from './transport.ts';
import { vmCalls } from './vm-calls.ts';

const DEFAULT_CALL_TIMEOUT_MS = 60_000;
/** Larger pages are fewer, but each blocks the event loop while it is parsed. */
const DEFAULT_PAGE_SIZE = 300;
/** oned may be restarting (some seconds) or electing a leader (up to 10 s). */
const READ_RETRY = { attempts: 4, firstDelayMs: 500, maxDelayMs: 4000 } as const;

export interface OneClientOptions {
  readonly endpoint: URL;
  /** `user:password` or `user:token`. */
  readonly session: Secret;
  /** Instead of HTTP to `endpoint`. Its answers are oned's, unopened. */
  readonly transport?: Transport | undefined;
  readonly http?: HttpTransportOptions | undefined;
  readonly clock?: Clock | undefined;
  readonly logger?: Logger | undefined;
  /** Objects per read of a pool; OpenNebula needs at least 2. Default 300. */
  readonly pageSize?: number | undefined;
  /** Of one attempt, from the moment it has a connection slot. Default 60 s. */
  readonly callTimeoutMs?: number | undefined;
  /** How long waits put up with an oned that does not answer at all. Default: twice the call timeout. */
  readonly outageMs?: number | undefined;
  /** An element of a pool that could not be read; the listing goes on without it. Default: a warning in the log. */
  readonly onUnreadable?: ((unreadable: Unreadable) => void) | undefined;
}

/** A client of one OpenNebula zone. Holds at most four connections, two of them idle; disposing it closes them. */
export function createOneClient(options: OneClientOptions): OneApi & AsyncDisposable {
  const { clock = systemClock, logger = silentLogger, pageSize = DEFAULT_PAGE_SIZE, callTimeoutMs = DEFAULT_CALL_TIMEOUT_MS } = options;
  if (!Number.isInteger(pageSize) || pageSize < 2) throw new RangeError(`a page of ${pageSize} objects: OpenNebula pages by 2 or more`);
  const scope = new Scope();
  const transport = composeTransport(
    options.transport ?? scope.use(httpTransport(options.endpoint, options.http)),
    withRetry(READ_RETRY, { clock }),
    withTrace({ clock, logger }),
    withConcurrency(MAX_SOCKETS),
    withTimeout(callTimeoutMs, { clock }),
    unwrapAnswer,
  );
  const warn = ({ object, error }: Unreadable): void =>
    logger.warn({ object, error: error.toJSON() }, 'OpenNebula object left out of a listing: its body cannot be read');
  const deps: CallDeps = {
    call: callerOver(transport, options.session),
    clock,
    pageSize,
    outageMs: options.outageMs ?? 2 * callTimeoutMs,
    onUnreadable: options.onUnreadable ?? warn,
  };
  return {
    endpoint: withoutUserInfo(options.endpoint),
    ...vmCalls(deps),
    ...imageCalls(deps),
    ...templateCalls(deps),
    ...infrastructureCalls(deps),
    [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose](),
  };
}

/** What a proxy in front of oned may want belongs into no log. */
function withoutUserInfo(endpoint: URL): URL {
  const url = new URL(endpoint);
  url.username = '';
  url.password = '';
  return url;
}
