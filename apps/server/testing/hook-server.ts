import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface ReceivedHook {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** An HTTP server on loopback that keeps what it is told and answers as it is asked to. */
export class HookServer implements AsyncDisposable {
  readonly hooks: ReceivedHook[] = [];
  /** Status of the next answers, and Location for a redirect; undefined: never answers. */
  answer: { readonly status: number; readonly location?: string } | undefined = { status: 200 };
  readonly #server: Server;

  private constructor() {
    this.#server = createServer(async (request, response) => {
      this.hooks.push({ path: request.url ?? '', headers: request.headers, body: await text(request) });
      if (this.answer === undefined) return;
      const { status, location } = this.answer;
      response.writeHead(status, location === undefined ? {} : { location }).end('thanks');
    });
  }

  static async start(): Promise<HookServer> {
    const hook = new HookServer();
    hook.#server.listen(0, '127.0.0.1');
    await once(hook.#server, 'listening');
    return hook;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
