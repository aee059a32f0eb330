import { runSchemas, type StreamEvent } from '@onevault/api';
import { systemClock } from '@onevault/base';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Caller } from '../../src/ports/call.ts';
import { IdempotencyKeys } from '../../src/runs/idempotency-keys.ts';
import { runHandlers } from '../../src/runs/run-handlers.ts';
import { callOf, SOMEBODY } from '../../testing/call-of.ts';
import { serverSettings } from '../../testing/fleet.ts';
import { makeWorkWorld, type WorkWorld } from '../../testing/work-world.ts';

const settings = { current: () => serverSettings() };
const UNCHANGED = { points: { onChange: () => ({ [Symbol.dispose]: () => undefined }) }, clock: systemClock };
let world: WorkWorld;
let ids = 0;
const newId = () => `keyed-${++ids}`;
let handlers: Readonly<Record<string, (call: object) => Promise<unknown> & AsyncIterable<StreamEvent>>>;
beforeAll(async () => {
  world = await makeWorkWorld({ disks: [{ sizeMiB: 1 }, { sizeMiB: 1 }] });
  const keys = await IdempotencyKeys.open(world.database, newId);
  const inventory = { vms: () => [], vm: (id: number) => (id === world.vm ? ({ facts: { id, name: 'web' }, datastoreIds: [] } as never) : undefined) };
  handlers = runHandlers({ runs: world.runs, inventory, settings, keys, ...UNCHANGED }) as never;
}, 180_000);
afterAll(() => world[Symbol.asyncDispose](), 60_000);

const ask = (id: string, call: Parameters<typeof callOf>[0] = {}) => (handlers[id] as unknown as (call: object) => Promise<never>)(callOf(call));
const stranger = { ...SOMEBODY, user: 'eve', label: 'eve', role: 'operator' as const, userId: 9, mayUse: () => false, mayManage: () => false };
const snapshot = (name: string) => ({ kind: 'snapshot-create', vmId: world.vm, name });

describe('runs over the API', { timeout: 30_000 }, () => {
  it('are begun once for a key; another request under it is refused, and another user’s key is another one', async () => {
    const start = (body: object, idempotencyKey: string, caller = SOMEBODY) => ask('startRun', { body, idempotencyKey, caller });
    const first: { id: string } = await start(snapshot('a'), 'k-1');
    expect(await start(snapshot('a'), 'k-1')).toEqual(first);
    await expect(start(snapshot('b'), 'k-1')).rejects.toMatchObject({ code: 'SERVER_IDEMPOTENCY_CONFLICT' });
    await world.runs.cancel(first.id);
    // Also once it has ended, and for a process that has just begun.
    const inventory = { vm: () => undefined, vms: () => [] };
    const later = runHandlers({ runs: world.runs, inventory, settings, keys: await IdempotencyKeys.open(world.database, newId), ...UNCHANGED })[
      'startRun'
    ] as unknown as (call: object) => Promise<object>;
    expect(await later(callOf({ body: snapshot('a'), idempotencyKey: 'k-1' }))).toEqual(first);
    expect(await start(snapshot('a'), 'k-1', stranger)).not.toEqual(first);
  });

  it('are begun once for a key, also when the server died before it could say so and the run has begun since', async () => {
    const keys = await IdempotencyKeys.open(world.database, newId);
    const inventory = { vm: (id: number) => ({ facts: { id, name: 'web' }, datastoreIds: [] }) as never, vms: () => [] };
    const start = new Proxy(world.runs, {
      get: (target, name) =>
        name === 'start'
          ? async (...asked: Parameters<typeof target.start>) => {
              await target.start(...asked);
              throw new Error('killed');
            }
          : Reflect.get(target, name, target).bind(target),
    });
    const call = () => callOf({ body: snapshot('crash'), idempotencyKey: 'k-crash' });
    const dying = runHandlers({ runs: start, inventory, settings, keys, ...UNCHANGED })['startRun'];
    await expect(dying(call() as never)).rejects.toThrow('killed');
    const [waiting] = await world.runs.list({ state: 'queued', kind: 'snapshot-create', limit: 1 });
    await world.database.db
      .updateTable('onevault.run')
      .set({ token: 1, state: 'failed', ended_at: new Date() })
      .where('id', '=', waiting?.id ?? '')
      .execute();
    const twice = await Promise.all([1, 2].map(() => ask('startRun', { body: snapshot('crash'), idempotencyKey: 'k-crash' })));
    expect(twice).toEqual([{ id: waiting?.id }, { id: waiting?.id }]);
  });

  it('that name what is not there are refused before they are queued, and their key stays free', async () => {
    const backup = { kind: 'backup', vmId: world.vm, repository: 'main', mode: 'auto' };
    for (const wrong of [{ repository: 'other' }, { policy: 'none' }, { vmId: 999 }])
      await expect(ask('startRun', { body: { ...backup, ...wrong }, idempotencyKey: 'k-2' })).rejects.toMatchObject({ code: 'SERVER_NOT_FOUND' });
    expect(await ask('startRun', { body: backup, idempotencyKey: 'k-2' })).toEqual({ id: expect.any(String) });
  });

  it('are told in the form of the API, with why they wait', async () => {
    const { id }: { id: string } = await ask('startRun', { body: { kind: 'backup', vmId: world.vm, repository: 'main', mode: 'full' } });
    const run = runSchemas.runDetail.parse(await ask('getRun', { params: { runId: id } }));
    expect(run).toMatchObject({
      state: 'queued',
      request: { kind: 'backup', mode: 'full' },
      waitsFor: { code: 'WAITS_FOR_WORKER' },
      origin: { name: 'oneadmin' },
    });
    expect(await ask('cancelRun', { params: { runId: id } })).toEqual({ id });
    await expect(ask('cancelRun', { params: { runId: id } })).rejects.toMatchObject({ code: 'QUEUE_RUN_ENDED' });
    await expect(ask('getRun', { params: { runId: 'run-x' } })).rejects.toMatchObject({ code: 'SERVER_NOT_FOUND' });
  });

  it('are seen by those who may use their VM, page by page; those of a whole repository by administrators', async () => {
    const chore: { id: string } = await ask('startRun', { body: { kind: 'gc', repository: 'main' } });
    type Page = { readonly items: readonly { readonly id: string }[]; readonly next?: string };
    const all: Page = await ask('listRuns', { query: { limit: 100 } });
    const ids: string[] = [];
    for (let cursor: string | undefined; ; ) {
      const page: Page = await ask('listRuns', { query: { limit: 2, ...(cursor !== undefined && { cursor }) } });
      ids.push(...page.items.map(({ id }) => id));
      cursor = page.next;
      if (cursor === undefined) break;
    }
    expect(ids).toEqual(all.items.map(({ id }) => id));
    expect(ids).toContain(chore.id);
    const bob = { ...stranger, mayUse: () => true };
    const his: Page = await ask('listRuns', { query: { limit: 100 }, caller: bob });
    expect(his.items.map(({ id }) => id)).toEqual(ids.filter((id) => id !== chore.id));
    expect(await ask('listRuns', { query: { limit: 100 }, caller: stranger })).toEqual({ items: [] });
    await expect(ask('getRun', { params: { runId: chore.id }, caller: bob })).rejects.toMatchObject({ code: 'SERVER_NOT_FOUND' });
    await expect(ask('listRuns', { query: { limit: 2, cursor: 'rubbish' } })).rejects.toMatchObject({ code: 'SERVER_REQUEST_INVALID' });
  });

  it('are watched to their end, and again from where one was', async () => {
    await world.worker('proxy-1');
    const { id }: { id: string } = await ask('startRun', { body: snapshot('watched') });
    const watch = async (lastEventId?: string): Promise<StreamEvent[]> => {
      const events: StreamEvent[] = [];
      const stream = handlers['watchRun']?.(callOf({ params: { runId: id }, ...(lastEventId !== undefined && { lastEventId }) }));
      for await (const event of stream as AsyncIterable<StreamEvent>) events.push(runSchemas.streamEvent.parse(event));
      return events;
    };
    const live = await watch();
    expect(live[0]?.type).toBe('run.queued');
    expect(live.at(-1)).toMatchObject({ type: 'run.ended', runId: id, data: { state: 'succeeded' } });
    expect(live.map(({ type }) => type)).toEqual(expect.arrayContaining(['run.taken', 'run.started', 'step.started', 'run.finished']));
    expect(await watch(live[2]?.id)).toEqual(live.slice(3));
    expect(await watch(live.at(-1)?.id)).toEqual([]);
    expect(await watch('999999999')).toEqual([]);
  });

  it('say to the owner of a VM that a command of the policy ran, and to administrators which one and what it printed', async () => {
    world.setPolicies({
      kind: 'snapshot',
      name: 'quiesced',
      timezone: 'UTC',
      select: { include: ['name=web'] },
      schedules: [{ at: 'every 1h' }],
      keep: 3,
      commands: { before: { command: ['echo', 'the-house-rules'] } },
    });
    await world.worker('proxy-2');
    const { id } = await world.do({ kind: 'snapshot-create', vmId: world.vm, policy: 'quiesced' });
    const heard = async (caller: Caller): Promise<StreamEvent[]> => {
      const events: StreamEvent[] = [];
      const stream = handlers['watchRun']?.(callOf({ params: { runId: id }, caller }));
      for await (const event of stream as AsyncIterable<StreamEvent>) if (event.type.startsWith('command.')) events.push(event);
      return events;
    };
    expect(JSON.stringify(await heard(SOMEBODY))).toContain('the-house-rules');
    const owner = await heard({ ...stranger, mayUse: () => true });
    expect(owner.map(({ type, data }) => [type, data['phase'], data['exitCode']])).toEqual([
      ['command.started', 'before', undefined],
      ['command.finished', 'before', 0],
    ]);
    expect(JSON.stringify(owner)).not.toContain('the-house-rules');
  });

  it('that look after a repository at their time are begun once, however many servers see that it has come', async () => {
    const terms = { origin: { kind: 'schedule', name: 'repository main' }, slot: new Date('2026-11-28T06:00:00Z') } as const;
    const first = await world.runs.start({ kind: 'gc', repository: 'main' }, terms);
    await world.runs.cancel(first.id);
    expect(await world.runs.start({ kind: 'gc', repository: 'main' }, terms)).toEqual({ id: first.id, isNew: false });
    expect(await world.runs.start({ kind: 'verify', repository: 'main', mode: 'sample' }, terms)).toMatchObject({ isNew: true });
    expect(await world.runs.start({ kind: 'gc', repository: 'main' }, { ...terms, slot: new Date('2026-12-05T06:00:00Z') })).toMatchObject({ isNew: true });
    for (const { id } of await world.queue.list({ state: 'queued', limit: 10 })) if (id !== first.id) await world.runs.cancel(id);
  });
});
