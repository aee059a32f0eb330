import type { Cloud } from '../cloud.ts';
import { SimError } from '../errors.ts';
import type { ControlRoutes } from '../wire/http-server.ts';
import { Refusal } from '../wire/refusal.ts';
import { localInvoke } from './control-operations.ts';
import { isControlName } from './control-schemas.ts';

/** POST /sim/<operation> with JSON in and out; GET /sim/state for curl. Loopback peers only. */
export function controlRoutes(cloud: Cloud): ControlRoutes {
  const invoke = localInvoke(cloud);
  return async (request, response, body) => {
    const name = request.url?.slice('/sim/'.length) ?? '';
    const readable = request.method === 'GET' && name === 'state';
    if (!isControlName(name) || !(request.method === 'POST' || readable)) return false;
    if (!isLoopback(request.socket.remoteAddress)) {
      response.writeHead(403).end();
      return true;
    }
    const reply = (status: number, text: string, type: string): void => void response.writeHead(status, { 'content-type': type }).end(text);
    try {
      const text = await body();
      reply(200, JSON.stringify((await invoke(name, text === '' ? {} : JSON.parse(text))) ?? null), 'application/json');
    } catch (error) {
      const foreseen = error instanceof SimError || error instanceof Refusal || error instanceof RangeError || error instanceof SyntaxError;
      reply(foreseen ? 400 : 500, error instanceof Error ? error.message : String(error), 'text/plain');
    }
    return true;
  };
}

function isLoopback(address: string | undefined): boolean {
  return address === '127.0.0.1' || address === '::1' || address === '::ffff:127.0.0.1';
}
