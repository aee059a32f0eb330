import { type CallOptions, isAbort, type Logger, Semaphore, serializeError } from '@onevault/base';
import { answerSimpleRead, answerStructuredRead, encodeFailure, errnoOf, failedAt } from './answer-read.ts';
import type { BufferPool } from './buffer-pool.ts';
import { type ByteChannel, ChannelGone } from './byte-channel.ts';
import { refusalOf } from './check-request.ts';
import { describeExtents, encodeBlockStatus, encodeDone, encodeSimpleReply } from './codec/reply-codec.ts';
import { decodeRequest, REQUEST_BYTES, type Request } from './codec/request-codec.ts';
import { type Agreement, ALLOCATION_ID } from './option-haggling.ts';
import { COMMAND, COMMAND_FLAG, MAX_PAYLOAD_BYTES } from './protocol.ts';

export interface TransmissionLimits {
  /** Requests of one connection under way at once; the next one is not read before one has been answered. */
  readonly maxRequests: number;
  /** Bytes of data that requests of one connection hold at once; a larger request goes alone. */
  readonly maxDataBytes: number;
}

export interface TransmissionDeps {
  readonly limits: TransmissionLimits;
  /** Shared by all connections. */
  readonly pool: BufferPool;
  readonly logger: Logger;
  /** Called for every request that comes and every reply that went: somebody is there. */
  readonly onActivity: () => void;
}

/**
 * Serves requests until the client disconnects, breaks the protocol or is gone, or until `options.signal` is aborted: then no request is read any more.
 * In all cases those under way are finished and answered first, as far as somebody is there to read it. Resolves with what it ended for.
 */
export async function transmit(channel: ByteChannel, agreement: Agreement, deps: TransmissionDeps, options: CallOptions): Promise<string> {
  const slots = new Semaphore(deps.limits.maxRequests);
  const budget = new Semaphore(deps.limits.maxDataBytes);
  const session = new Session(channel, agreement, deps, budget);
  const underWay = new Set<Promise<void>>();
  try {
    for (;;) {
      const slot = await slots.take(1, options);
      const received = await session.receive(options);
      if (typeof received === 'string') return received;
      deps.onActivity();
      const job = session.serve(received).finally(() => {
        slot[Symbol.dispose]();
        underWay.delete(job);
      });
      underWay.add(job);
    }
  } catch (error) {
    if (options.signal?.aborted) return 'the server shuts down';
    throw error;
  } finally {
    await Promise.allSettled(underWay);
  }
}

interface Received {
  readonly request: Request;
  readonly payload: Buffer | undefined;
  /** Of the payload. */
  readonly held: Disposable | undefined;
}

class Session {
  readonly #channel: ByteChannel;
  readonly #agreement: Agreement;
  readonly #deps: TransmissionDeps;
  readonly #budget: Semaphore;
  readonly #call: CallOptions;

  constructor(channel: ByteChannel, agreement: Agreement, deps: TransmissionDeps, budget: Semaphore) {
    this.#channel = channel;
    this.#agreement = agreement;
    this.#deps = deps;
    this.#budget = budget;
    this.#call = { signal: channel.gone };
  }

  /** The next request, or why there is none. A request of which a part has come is read to its end also when `options.signal` is aborted meanwhile. */
  async receive(options: CallOptions): Promise<Received | string> {
    const bytes = await this.#channel.read(REQUEST_BYTES, options);
    if (!bytes) return 'the client left';
    const request = decodeRequest(bytes);
    if (!request) return 'the client does not speak the protocol';
    if (request.command === COMMAND.DISC) return 'the client disconnected';
    if (request.command !== COMMAND.WRITE) return { request, payload: undefined, held: undefined };
    if (request.length > MAX_PAYLOAD_BYTES) return 'the client writes more at once than the protocol allows';
    const held = await this.#budget.take(request.length, this.#call);
    const payload = await this.#channel.read(request.length, options);
    if (payload) return { request, payload, held };
    held[Symbol.dispose]();
    return 'the client left in the middle of a write';
  }

  /** Never rejects: a request that fails is answered so, and of a client that is gone nobody needs to know. */
  async serve({ request, payload, held }: Received): Promise<void> {
    try {
      const refusal = refusalOf(request, this.#agreement);
      if (refusal) await this.#channel.write([encodeFailure(request, this.#agreement.structured, refusal.errno, refusal.why)]);
      else await this.#carryOut(request, payload);
      this.#deps.onActivity();
    } catch (error) {
      if (error instanceof ChannelGone || this.#channel.gone.aborted) return;
      await this.#fail(request, error).catch(() => this.#channel.destroy());
    } finally {
      held?.[Symbol.dispose]();
    }
  }

  async #carryOut(request: Request, payload: Buffer | undefined): Promise<void> {
    const { command, offset, length, flags } = request;
    const { disk, structured } = this.#agreement;
    const { writer } = disk;
    const call = this.#call;
    if (command === COMMAND.READ) {
      const job = { request, disk, channel: this.#channel, budget: this.#budget, pool: this.#deps.pool, call };
      return structured ? answerStructuredRead(job) : answerSimpleRead(job);
    }
    if (command === COMMAND.BLOCK_STATUS) return this.#answerStatus(request);
    if (command === COMMAND.CACHE && length > 0) disk.prefetch?.(offset, length);
    // A write that has begun is not given up because the client is gone: half of it would be there.
    if (command === COMMAND.WRITE && payload && length > 0) await writer?.write(offset, payload, {});
    if ((command === COMMAND.WRITE_ZEROES || command === COMMAND.TRIM) && length > 0) await writer?.zero(offset, length, {});
    if (command === COMMAND.FLUSH || (flags & COMMAND_FLAG.FUA) !== 0) await writer?.flush({});
    await this.#channel.write([structured ? encodeDone(request.cookie) : encodeSimpleReply(request.cookie, 0)]);
  }

  async #answerStatus({ cookie, offset, length, flags }: Request): Promise<void> {
    const extents = await this.#agreement.disk.extents(offset, length, this.#call);
    const described = describeExtents(extents, length, (flags & COMMAND_FLAG.REQ_ONE) !== 0);
    await this.#channel.write([encodeBlockStatus(cookie, ALLOCATION_ID, described)]);
  }

  async #fail(request: Request, error: unknown): Promise<void> {
    const { command, offset, length } = request;
    const at = failedAt(error, request);
    const errno = errnoOf(error);
    if (!isAbort(error)) {
      this.#deps.logger.error({ export: this.#agreement.name, command, offset, length, at, error: serializeError(error) }, 'a request failed');
    }
    // The text of an error may name what is not the client's to know; the log has it.
    await this.#channel.write([encodeFailure(request, this.#agreement.structured, errno, 'the server could not carry it out; see its log', at)]);
  }
}
