import type { Server } from 'node:http';
import { createServer, type Server as NetServer, type Socket } from 'node:net';

export interface LimitedServer {
  readonly listener: NetServer;
  /** Ends the listener and every connection, waiting ones too. */
  close(): Promise<void>;
}

/**
 * oned's accept loop: at most `maxConnections` live connections, the rest wait unanswered until one ends; nobody is refused.
 * Listens in front of `http` and hands accepted sockets over.
 */
export function limitConnections(http: Server, maxConnections: number): LimitedServer {
  const waiting: Socket[] = [];
  const open = new Set<Socket>();
  let live = 0;
  const admit = (socket: Socket): void => {
    live++;
    socket.once('close', () => {
      live--;
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        if (next.destroyed) continue;
        admit(next);
        break;
      }
    });
    http.emit('connection', socket);
  };
  const listener = createServer((socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    socket.on('error', () => undefined); // a client that resets its connection is no event
    if (live < maxConnections) admit(socket);
    else waiting.push(socket);
  });
  return {
    listener,
    close: () =>
      new Promise((resolve) => {
        listener.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}
