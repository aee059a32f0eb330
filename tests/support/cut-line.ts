import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** A line to a server on loopback that can be cut: what is sent then goes nowhere, and nobody is told. */
export interface CutLine extends AsyncDisposable {
  readonly port: number;
  /** As when a network swallows everything: connections stay open, and new ones are taken and not served. */
  cut(): void;
  /** What was under way when it was cut is broken off; new connections are served again. */
  mend(): void;
}

export async function cutLine(targetPort: number): Promise<CutLine> {
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((near) => {
    near.on('error', () => undefined);
    sockets.add(near);
    near.on('close', () => sockets.delete(near));
    if (isCut) return void near.pause();
    const far = connect(targetPort, '127.0.0.1');
    far.on('error', () => near.destroy());
    sockets.add(far);
    far.on('close', () => {
      sockets.delete(far);
      if (!isCut) near.destroy();
    });
    near.on('close', () => {
      if (!isCut) far.destroy();
    });
    near.pipe(far);
    far.pipe(near);
  }).listen(0, '127.0.0.1');
  if (!server.listening) await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    cut() {
      isCut = true;
      for (const socket of sockets) socket.unpipe().pause();
    },
    mend() {
      isCut = false;
      for (const socket of sockets) socket.destroy();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
