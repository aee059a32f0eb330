import type { Cloud } from '../cloud.ts';
import { SimError } from '../errors.ts';
import type { ControlRoutes } from '../wire/http-server.ts';
import { Refusal } from '../wire/refusal.ts';
import type { Invoke } from './control-client.ts';
import { localInvoke } from './control-operations.ts';
import { type ControlName, isControlName } from './control-schemas.ts';

/** POST /sim/<operation> with JSON in and out; GET /sim/state for curl. Loopback peers only. */
export function controlRoutes(cloud: Cloud): ControlRoutes {
  const invoke = localInvoke(cloud);
  return async (request, response, body) => {
    const name = request.url?.slice('/sim/'.length) ?? '';
    const allowed = request.method === 'POST' || (request.method === 'GET' && name === 'state');
    if (!isControlName(name) || !allowed) return false;
    const { status, type, text } = isLoopback(request.socket.remoteAddress) ? await reply(invoke, name, await body()) : FORBIDDEN;
    response.writeHead(status, { 'content-type': type }).end(text);
    return true;
  };
}

interface Reply {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

const FORBIDDEN: Reply = { status: 403, type: 'text/plain', text: 'loopback only' };

async function reply(invoke: Invoke, name: ControlName, body: string): Promise<Reply> {
  try {
    const result = await invoke(name, body === '' ? {} : JSON.parse(body));
    return { status: 200, type: 'application/json', text: JSON.stringify(result ?? null) };
  } catch (error) {
    const foreseen = error instanceof SimError || error instanceof Refusal || error instanceof RangeError || error instanceof SyntaxError;
    return { status: foreseen ? 400 : 500, type: 'text/plain', text: error instanceof Error ? error.message : String(error) };
  }
}

function isLoopback(address: string | undefined): boolean {
  return address === '127.0.0.1' || address === '::1' || address === '::ffff:127.0.0.1';
}
