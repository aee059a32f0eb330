import type { Socket } from 'node:net';
import { join } from 'node:path';
import { type CallOptions, type Clock, Mutex } from '@onevault/base';
import { applianceLost, applianceSilent, commandRefused, tooMuch } from './appliance-errors.ts';
import { type Argument, commandLine } from './command-line.ts';
import { Exchange, type Reply } from './exchange.ts';
import { makeFifo, openFifo } from './fifo.ts';
import { type FishProcess, startProcess } from './process.ts';
import { withinTime } from './time-limit.ts';

export interface GuestfishDeps {
  readonly clock: Clock;
  readonly randomBytes: (length: number) => Uint8Array;
}

export interface GuestfishOptions extends CallOptions {
  /** Private, of this session alone; the caller removes it. */
  readonly directory: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** A command, or the next bytes of a stream, may take so long. */
  readonly callTimeoutMs: number;
}

export interface RunOptions extends CallOptions {
  readonly timeoutMs?: number;
}

/**
 * guestfish as a child that takes commands one at a time. Whatever goes wrong on the way (abort, a time limit, an answer without end) ends the child
 * and its micro-VM with it: a stream cannot be taken up again in its middle, and nothing is lost by it, because everything is read-only.
 */
export class Guestfish implements AsyncDisposable {
  readonly #process: FishProcess;
  readonly #fifo: string;
  readonly #deps: GuestfishDeps;
  readonly #callTimeoutMs: number;
  readonly #turn = new Mutex();
  #current: Exchange | undefined;
  #over: Error | undefined;

  /** Throws FILES_LIBGUESTFS_MISSING. */
  static async start(options: GuestfishOptions, deps: GuestfishDeps): Promise<Guestfish> {
    const fifo = join(options.directory, 'out');
    await makeFifo(fifo);
    return new Guestfish(await startProcess(options.directory, options.environment), fifo, options, deps);
  }

  private constructor(process: FishProcess, fifo: string, options: GuestfishOptions, deps: GuestfishDeps) {
    this.#process = process;
    this.#fifo = fifo;
    this.#deps = deps;
    this.#callTimeoutMs = options.callTimeoutMs;
    process.onOutput((chunk) => {
      if (this.#current?.tookOutput(chunk) === false) void this.#end(tooMuch());
    });
    process.onSaid((chunk) => this.#current?.tookSaid(chunk));
    void process.ended.then((how) => this.#end(applianceLost(how)));
  }

  /** What the command printed. Throws FILES_APPLIANCE_REFUSED when it failed. */
  async run(verb: string, args: readonly Argument[] = [], options: RunOptions = {}): Promise<Buffer> {
    const reply = await this.attempt(verb, args, options);
    if (!reply.ok) throw commandRefused(verb, reply.said);
    return reply.output;
  }

  /** The same, where a refusal is an answer. */
  attempt(verb: string, args: readonly Argument[] = [], options: RunOptions = {}): Promise<Reply> {
    const line = commandLine(verb, args);
    return this.#turn.run(() => this.#call(verb, line, options), options);
  }

  async #call(verb: string, line: Buffer, options: RunOptions): Promise<Reply> {
    const exchange = this.#send(line);
    try {
      return await this.#limited(exchange.reply, verb, options);
    } catch (error) {
      await this.#end(error);
      throw error;
    }
  }

  /**
   * What the command writes to its output file, which `args` puts where it belongs. Throws FILES_APPLIANCE_REFUSED at the end of what came when the command
   * failed. A consumer that leaves early ends the session.
   */
  async *stream(verb: string, args: (output: string) => readonly Argument[], options: CallOptions = {}): AsyncGenerator<Buffer, void> {
    const line = commandLine(verb, args(this.#fifo));
    const turn = await this.#turnOf(options);
    let whole = false;
    try {
      const socket = await openFifo(this.#fifo);
      const exchange = this.#send(line);
      yield* this.#received(socket, exchange, verb, options);
      const reply = await this.#limited(exchange.reply, verb, options);
      whole = true;
      if (!reply.ok) throw commandRefused(verb, reply.said);
    } catch (error) {
      if (!whole) await this.#end(error);
      whole = true;
      throw error;
    } finally {
      if (!whole) await this.#end(applianceLost('the reader of a stream left before its end'));
      turn();
    }
  }

  async *#received(socket: Socket, exchange: Exchange, verb: string, options: CallOptions): AsyncGenerator<Buffer, void> {
    // A command that fails before it opens the file never closes it either.
    exchange.reply.then(
      ({ ok }) => ok || socket.destroy(),
      () => socket.destroy(),
    );
    const chunks: AsyncIterator<Buffer> = socket[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await this.#limited(chunks.next(), verb, options);
        if (next.done === true) return;
        yield next.value;
      }
    } catch (error) {
      const cut = error instanceof Error && 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE';
      if (!cut || (await exchange.reply).ok) throw error;
    } finally {
      socket.destroy();
    }
  }

  async #turnOf(options: CallOptions): Promise<() => void> {
    return await new Promise((resolve, reject) => {
      this.#turn.run(() => new Promise<void>((done) => resolve(done)), options).catch(reject);
    });
  }

  #send(line: Buffer): Exchange {
    if (this.#over) throw this.#over;
    const exchange = new Exchange(`ov${Buffer.from(this.#deps.randomBytes(16)).toString('hex')}`);
    this.#current = exchange;
    this.#process.write(exchange.script(line));
    return exchange;
  }

  #limited<T>(promise: Promise<T>, verb: string, options: RunOptions): Promise<T> {
    const ms = options.timeoutMs ?? this.#callTimeoutMs;
    return withinTime(promise, ms, () => applianceSilent(verb, ms), this.#deps, options);
  }

  async #end(why: unknown): Promise<void> {
    this.#over ??= why instanceof Error ? why : applianceLost(String(why));
    this.#current?.fail(this.#over);
    await this.#process.kill();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#end(applianceLost('the session is closed'));
  }
}
