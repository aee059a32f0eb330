import type { Clock } from '@onevault/base';
import type { FastifyInstance } from 'fastify';

/** Resolves when it answers; the message of an error is kept inside. */
export type ReadyCheck = (signal: AbortSignal) => Promise<void>;

const CHECK_MS = 5_000;
/** Whoever asks often does not ask the database as often. */
const FRESH_MS = 2_000;

/** /healthz: the process answers. /readyz: so does what it stands on; said by name, without why. */
export function addHealthRoutes(app: FastifyInstance, checks: Readonly<Record<string, ReadyCheck>>, clock: Clock): void {
  let last: { readonly atMs: number; readonly states: Promise<Readonly<Record<string, boolean>>> } | undefined;
  app.get('/healthz', { config: { unpressed: true } }, async (_request, reply) => reply.header('cache-control', 'no-store').send({ status: 'ok' }));
  app.get('/readyz', { config: { unpressed: true } }, async (_request, reply) => {
    const now = clock.monotonicMs();
    if (last === undefined || now - last.atMs > FRESH_MS) last = { atMs: now, states: checkAll(checks, clock) };
    const states = await last.states;
    const isReady = Object.values(states).every((works) => works);
    return reply
      .code(isReady ? 200 : 503)
      .header('cache-control', 'no-store')
      .send({ status: isReady ? 'ready' : 'not ready', checks: states });
  });
}

async function checkAll(checks: Readonly<Record<string, ReadyCheck>>, clock: Clock): Promise<Readonly<Record<string, boolean>>> {
  const results = await Promise.all(Object.entries(checks).map(async ([name, check]) => [name, await works(check, clock)] as const));
  return Object.fromEntries(results);
}

async function works(check: ReadyCheck, clock: Clock): Promise<boolean> {
  const over = new AbortController();
  try {
    return await Promise.race([check(over.signal).then(() => true), clock.sleep(CHECK_MS, { signal: over.signal }).then(() => false)]);
  } catch {
    return false;
  } finally {
    over.abort();
  }
}
