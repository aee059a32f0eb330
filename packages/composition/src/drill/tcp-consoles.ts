import { createServer, type Server, type Socket } from 'node:net';
import { StringDecoder } from 'node:string_decoder';
import type { CallOptions } from '@onevault/base';
import type { ConsolePort, SerialConsole } from '@onevault/orchestrator';
import { CompositionError } from '../errors.ts';

/** Of what the guest wrote last; a pattern must fit in. */
const KEPT_CHARS = 16 * 1024;
const TAIL_CHARS = 2000;
const LINE_CHARS = 500;

/** An address of this machine that hosts can reach, and a port; 0: any that is free. */
export interface ConsoleAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * Serial consoles over plain TCP, each with a listener of its own: qemu on the host connects, we only read. Whoever can reach the port can write what a guest
 * would: it is open for one drill only, and takes one connection at a time, the newest, since qemu connects anew when it lost one.
 */
export function tcpConsoles(address: ConsoleAddress): ConsolePort {
  return { open: (options = {}) => listen(address, options) };
}

async function listen({ host, port }: ConsoleAddress, options: CallOptions): Promise<SerialConsole> {
  options.signal?.throwIfAborted();
  const console = new TcpConsole(host);
  await console.listen(port);
  return console;
}

interface Waiter {
  readonly pattern: RegExp;
  readonly found: (line: string) => void;
}

class TcpConsole implements SerialConsole {
  readonly host: string;
  port = 0;
  readonly #server: Server;
  readonly #waiters = new Set<Waiter>();
  #socket: Socket | undefined;
  #text = '';

  constructor(host: string) {
    this.host = host;
    this.#server = createServer((socket) => this.#take(socket));
  }

  listen(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', (cause) => reject(cannotListen(this.host, port, cause)));
      this.#server.listen(port, this.host, () => {
        const address = this.#server.address();
        this.port = typeof address === 'object' && address !== null ? address.port : port;
        resolve();
      });
    });
  }

  match(pattern: RegExp, options: CallOptions = {}): Promise<string> {
    return new Promise((resolve, reject) => {
      const { signal } = options;
      if (signal?.aborted === true) return reject(signal.reason);
      const onAbort = (): void => {
        this.#waiters.delete(waiter);
        reject(signal?.reason);
      };
      const waiter: Waiter = {
        pattern,
        found: (line) => {
          this.#waiters.delete(waiter);
          signal?.removeEventListener('abort', onAbort);
          resolve(line);
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiters.add(waiter);
      this.#look();
    });
  }

  tail(): string {
    return readable(this.#text).slice(-TAIL_CHARS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket?.destroy();
    if (this.#server.listening) await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #take(socket: Socket): void {
    this.#socket?.destroy();
    this.#socket = socket;
    const decoder = new StringDecoder('utf8');
    socket.on('error', () => undefined); // qemu went away: it connects again, or the drill ends
    socket.on('data', (bytes) => {
      this.#text = (this.#text + decoder.write(bytes)).slice(-KEPT_CHARS);
      this.#look();
    });
  }

  #look(): void {
    if (this.#waiters.size === 0) return;
    const lines = this.#text.split(/\r\n|\r|\n/);
    for (const waiter of [...this.#waiters]) {
      const line = lines.find((candidate) => waiter.pattern.test(readable(candidate)));
      if (line !== undefined) waiter.found(readable(line).slice(0, LINE_CHARS));
    }
  }
}

/** Of a terminal (ECMA-48): what colours a line says nothing. */
const ESCAPES = new RegExp(`${String.fromCharCode(27)}(?:\\[[0-9;?]*[ -/]*[@-~]|[@-Z\\\\-_])`, 'g');

/** Without the escape sequences of a terminal and other control characters. */
function readable(text: string): string {
  return text.replace(ESCAPES, '').replace(/[^\P{Cc}\n]/gu, '');
}

function cannotListen(host: string, port: number, cause: Error): CompositionError {
  return new CompositionError({
    code: 'CLI_CONSOLE_FAILED',
    message: `cannot listen for serial consoles on ${host} port ${port}: ${cause.message}`,
    details: { host, port },
    hint: 'name an address of this machine that the hosts can reach with --console-listen ADDRESS[:PORT]',
    cause,
  });
}
