import { readdir, readFile } from 'node:fs/promises';
import { type Clock, type LogFields, type Logger, systemClock } from '@onevault/base';
import { QueueError } from '@onevault/run-queue';
import { CloudInventory } from '@onevault/server';
import {
  type AccessWorld,
  ANYBODY,
  bearer,
  makeAccessWorld,
  type RawReply,
  runRecord,
  type Somebody,
  sampleHandlers,
  send,
  signIn,
} from '@onevault/server/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bodiesOf, type Documented, documented, type Ids, pathOf } from '../support/api-table.ts';

const RANK = { public: 0, viewer: 1, operator: 2, admin: 3 } as const;
const PEOPLE = ['viewer', 'operator', 'admin'] as const;
type Person = (typeof PEOPLE)[number];
const PLACES = ['own', 'foreign', 'missing'] as const;
type Place = (typeof PLACES)[number];

const MISSING_VM = 4_000_000;
const UNKNOWN_TO_NOBODY = 'of-somebody-else';
const password = (name: string): string => `${name}-secret-password`;

let world: AccessWorld;
let base: URL;
let operations: readonly Documented[];
let definitions: Readonly<Record<string, object>>;
let foreignVm: number;
let tokenOfAnother: string;
const vmOf = new Map<Person, number>();
const sessions = new Map<Person, Somebody>();
const tokens = new Map<string, Somebody>();
const secrets: string[] = [];
const logged: string[] = [];
const replies: string[] = [];
let count = 0;

let aheadMs = 0;
const clock: Clock = { ...systemClock, now: () => new Date(systemClock.now().getTime() + aheadMs) };

const note = (fields: LogFields, message: string): void => void logged.push(JSON.stringify({ ...fields, message }));
const logger: Logger = { debug: note, info: note, warn: note, error: note, child: () => logger };

beforeAll(async () => {
  world = await makeAccessWorld({ clock, logger, roles: { roles: { viewer: 'viewer', operator: 'operator', admin: 'admin' }, defaultRole: 'none' } });
  const { control } = world.sim;
  for (const name of PEOPLE) {
    const { userId, groupId } = await control.createUser({ name, password: password(name), group: `group-of-${name}`, rules: ['VM+IMAGE/* CREATE'] });
    vmOf.set(name, await makeVm(`vm-of-${name}`, userId, groupId));
    secrets.push(password(name));
  }
  foreignVm = await makeVm(UNKNOWN_TO_NOBODY, 0, 0);
  base = await serve();
  const { json } = await send(base, '/api/v1/openapi.json');
  definitions = json.components.schemas;
  operations = documented(json.paths);
  for (const name of PEOPLE) await giveCredentials(name);
  aheadMs = 61_000; // with that the brief tokens are over
  const admin = await signIn(base, world.sim.user, world.sim.password).catch(() => undefined);
  expect(admin, 'oneadmin is an administrator whatever the default').toBeDefined();
  tokenOfAnother = (await newToken(admin ?? ANYBODY, 'admin')).id;
}, 60_000);
afterAll(() => world?.[Symbol.asyncDispose]());

async function makeVm(name: string, userId: number, groupId: number): Promise<number> {
  const { vmId } = await world.sim.control.createVm({ name, disks: [{ sizeMiB: 1 }] });
  await world.must('one.vm.chown', vmId, userId, groupId);
  return vmId;
}

async function serve(): Promise<URL> {
  const inventory = new CloudInventory({ cloud: world.cloud, clock: systemClock, logger, former: async () => [] });
  await inventory.refresh();
  const objects = {
    inventory,
    catalog: { get: async (_repository: string, id: string) => pointOf(id) },
    runs: {
      get: async (id: string) => {
        const vmId = Number(/^run-(\d+)$/.exec(id)?.[1]);
        if (vmId === MISSING_VM || Number.isNaN(vmId)) throw new QueueError({ code: 'QUEUE_RUN_NOT_FOUND', message: 'there is no such run' });
        return runRecord({ id, vmId });
      },
    },
  };
  const limits = { perAddressPerMinute: 1e6, perCallerPerMinute: 1e6, unknownPerMinute: 1e6 };
  return (await world.serve(objects as never, sampleHandlers(), { limits })).url;
}

/** `p-17` is of VM 17. */
function pointOf(id: string): { readonly vmId: number } | undefined {
  const vmId = Number(id.slice(2));
  return vmId === MISSING_VM ? undefined : { vmId };
}

async function newToken(
  who: Somebody,
  role: string,
  operationIds?: readonly string[],
  lifeMs = 3_600_000,
): Promise<{ readonly id: string; readonly secret: string }> {
  const expiresAt = new Date(clock.now().getTime() + lifeMs).toISOString();
  const body = { name: `t-${++count}`, role, expiresAt, ...(operationIds && { operations: operationIds }) };
  const reply = await send(base, '/api/v1/tokens', { method: 'POST', headers: who.headers, body });
  if (reply.status !== 201) throw new Error(`no token: ${reply.text}`);
  secrets.push(reply.json.secret);
  return reply.json;
}

async function giveCredentials(name: Person): Promise<void> {
  const browser = await signIn(base, name, password(name));
  secrets.push(browser.cookie.split('=')[1] ?? '');
  sessions.set(name, browser);
  if (tokens.has(name)) return;
  tokens.set(name, bearer((await newToken(browser, name)).secret));
  tokens.set(`${name} elsewhere`, bearer((await newToken(browser, name, ['whoAmI'])).secret));
  const brief = await newToken(browser, name, undefined, 60_000);
  tokens.set(`${name} expired`, bearer(brief.secret));
}

function idsOf(person: Person, place: Place): Ids {
  const vmId = place === 'own' ? vmOf.get(person) : place === 'foreign' ? foreignVm : MISSING_VM;
  return { vmId: `${vmId}`, repository: 'main', pointId: `p-${vmId}`, runId: `run-${vmId}`, name: 'nightly', user: 'viewer', tokenId: tokenOfAnother };
}

interface Asked {
  readonly body: unknown;
  readonly reply: RawReply;
}

async function ask(operation: Documented, who: Somebody, ids: Readonly<Record<string, string>>): Promise<readonly Asked[]> {
  const asked: Asked[] = [];
  for (const body of bodiesOf({
    operation,
    ids,
    definitions,
    signIn: { user: 'viewer', password: password('viewer') },
    expiresAt: new Date(clock.now().getTime() + 60_000),
  })) {
    const reply = await send(base, pathOf(operation, ids), { method: operation.method.toUpperCase(), headers: who.headers, body });
    replies.push(reply.text);
    asked.push({ body, reply });
  }
  return asked;
}

const isOfWholeRepository = (body: unknown): boolean => ['verify', 'retention', 'gc', 'recover'].includes((body as { kind?: string } | undefined)?.kind ?? '');
const isOfVm = ({ objects }: Documented): boolean => objects === 'vm-use' || objects === 'vm-manage';

/** What a person may expect, by the document alone. */
function expected(operation: Documented, person: Person, place: Place, body: unknown): 'done' | 403 | 404 {
  if (RANK[person] < RANK[operation.role]) return 403;
  if (operation.operationId === 'deleteToken') return person === 'admin' ? 'done' : 404;
  if (!isOfVm(operation)) return 'done';
  if (isOfWholeRepository(body)) return person === 'admin' ? 'done' : 403;
  return place === 'own' ? 'done' : 404;
}

async function surprises(operation: Documented, person: Person, place: Place): Promise<readonly object[]> {
  const wrong: object[] = [];
  for (const { body, reply } of await ask(operation, sessions.get(person) ?? ANYBODY, idsOf(person, place))) {
    const wanted = expected(operation, person, place, body);
    const isRight = wanted === 'done' ? reply.status >= 200 && reply.status < 300 : reply.status === wanted;
    if (!isRight) wrong.push({ id: operation.operationId, body, wanted, status: reply.status, text: reply.text });
  }
  if (operation.operationId === 'signOut') await giveCredentials(person);
  if (operation.operationId === 'deleteToken' && person === 'admin') tokenOfAnother = (await newToken(sessions.get('admin') ?? ANYBODY, 'admin')).id;
  return wrong;
}

/** Everything of a refusal but what is of this request alone. */
function shapeOf({ status, json, headers }: RawReply): object {
  const { 'x-request-id': _, date: __, ...others } = headers;
  return { status, json: { ...json, requestId: '' }, headers: others };
}

describe('every operation of the OpenAPI document', () => {
  it('is one of at least forty', () => {
    expect(operations.length).toBeGreaterThanOrEqual(40);
  });

  it('is refused to nobody, and to tokens that are over, in the same words', async () => {
    for (const operation of operations.filter(({ role }) => role !== 'public')) {
      for (const place of PLACES) {
        const strangers = [ANYBODY, tokens.get('admin expired') ?? ANYBODY, bearer('rubbish'), { headers: { cookie: `onevault_session=${'a'.repeat(43)}` } }];
        for (const who of strangers) {
          const [{ reply } = { reply: undefined }] = await ask(operation, who, idsOf('admin', place));
          expect({ id: operation.operationId, status: reply?.status, code: reply?.json.code }).toEqual({
            id: operation.operationId,
            status: 401,
            code: 'SERVER_NOT_SIGNED_IN',
          });
        }
      }
    }
  });

  it('is refused to a token for something else, whatever it names', async () => {
    for (const operation of operations.filter(({ role, operationId }) => role !== 'public' && operationId !== 'whoAmI')) {
      for (const place of PLACES) {
        const [{ reply } = { reply: undefined }] = await ask(operation, tokens.get('admin elsewhere') ?? ANYBODY, idsOf('admin', place));
        expect({ id: operation.operationId, status: reply?.status }).toEqual({ id: operation.operationId, status: 403 });
      }
    }
  });

  describe.each(PEOPLE)('asked by a signed-in %s', (person) => {
    it.each(PLACES)('about %s objects does what role and object allow', async (place) => {
      const wrong: object[] = [];
      for (const operation of operations) wrong.push(...(await surprises(operation, person, place)));
      expect(wrong).toEqual([]);
    });

    it('says the same of what is somebody else’s and of what is not there', async () => {
      let compared = 0;
      for (const who of [sessions.get(person) ?? ANYBODY, tokens.get(person) ?? ANYBODY]) {
        for (const operation of operations.filter(isOfVm)) {
          const foreign = await ask(operation, who, idsOf(person, 'foreign'));
          const missing = await ask(operation, who, idsOf(person, 'missing'));
          const [left, right] = [foreign, missing].map((asked) =>
            asked.map(({ reply }) => shapeOf(reply)).filter((shape) => !JSON.stringify(shape).includes('"status":2')),
          );
          expect(left, operation.operationId).toEqual(right);
          compared += left?.length ?? 0;
        }
      }
      expect(compared).toBeGreaterThan(20);
    });
  });
});

describe('secrets', () => {
  it('are in no answer but the one that gives them, in no log line, no audit record and no file', async () => {
    const files = await readdir(world.directory, { recursive: true, withFileTypes: true });
    const texts = await Promise.all(files.filter((file) => file.isFile()).map((file) => readFile(`${file.parentPath}/${file.name}`, 'utf8')));
    expect(secrets.length).toBeGreaterThan(15);
    for (const secret of secrets) {
      expect(secret.length).toBeGreaterThan(10);
      for (const text of [...texts, ...logged]) expect(text).not.toContain(secret);
      expect(replies.filter((text) => text.includes(secret) && !text.includes('"secret":'))).toEqual([]);
    }
    expect(logged.length).toBeGreaterThan(100);
  });

  it('of whom a name belongs to stay with them: nothing foreign is named anywhere', () => {
    expect(replies.length).toBeGreaterThan(500);
    expect(replies.filter((text) => text.includes(UNKNOWN_TO_NOBODY))).toEqual([]);
  });
});
