import { readdir, readFile } from 'node:fs/promises';
import { get } from 'node:http';
import { type Clock, type LogFields, type Logger, systemClock } from '@onevault/base';
import { ANYBODY, bearer, bodyAs, type RawReply, type Somebody, send, signIn } from '@onevault/server/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bodiesOf, type Documented, documented, type Ids, pathOf } from '../support/api-table.ts';
import { type Belongings, CANARY, HOUSE, makeTenants, PEOPLE, type Person, passwordOf, SPARE_POLICY, type Tenants } from '../support/tenants.ts';

const RANK = { public: 0, viewer: 1, operator: 2, admin: 3 } as const;
const PLACES = ['own', 'foreign', 'missing'] as const;
type Place = (typeof PLACES)[number];
const MISSING: Belongings = { vmId: 4_000_000, pointId: '20200101T000000Z-0000', runId: 'run-0' };

let tenants: Tenants;
interface OpenApi {
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
  readonly paths: Parameters<typeof documented>[0];
}

let operations: readonly Documented[];
let definitions: Readonly<Record<string, object>>;
let tokenOfAnother: string;
const sessions = new Map<Person, Somebody>();
const tokens = new Map<string, Somebody>();
const secrets: string[] = [];
const logged: string[] = [];
const replies: RawReply[] = [];
let count = 0;

let aheadMs = 0;
const clock: Clock = { ...systemClock, now: () => new Date(systemClock.now().getTime() + aheadMs) };
const note = (fields: LogFields, message: string): void => void logged.push(JSON.stringify({ ...fields, message }));
const logger: Logger = { debug: note, info: note, warn: note, error: note, child: () => logger };

beforeAll(async () => {
  tenants = await makeTenants({ clock, logger });
  const { components, paths } = bodyAs<OpenApi>(await send(tenants.base, '/api/v1/openapi.json'));
  definitions = components.schemas;
  operations = documented(paths);
  for (const name of PEOPLE) {
    secrets.push(passwordOf(name));
    await giveCredentials(name);
  }
  aheadMs = 61_000; // with that the brief tokens are over
  tokenOfAnother = (await newToken(tenants.oneadmin, 'admin', `${CANARY}-token`)).id;
}, 300_000);
afterAll(() => tenants?.[Symbol.asyncDispose]());

async function newToken(
  who: Somebody,
  role: string,
  name: string,
  more: { readonly operations?: readonly string[]; readonly lifeMs?: number } = {},
): Promise<{ readonly id: string; readonly secret: string }> {
  const { lifeMs = 3_600_000, operations: of } = more;
  const expiresAt = new Date(clock.now().getTime() + lifeMs).toISOString();
  const reply = await tenants.ask(who, 'POST', '/tokens', { name: `${name}-${++count}`, role, expiresAt, ...(of && { operations: of }) });
  if (reply.status !== 201) throw new Error(`no token: ${reply.text}`);
  secrets.push(reply.json.secret);
  return reply.json;
}

async function giveCredentials(name: Person): Promise<void> {
  const browser = await signIn(tenants.base, name, passwordOf(name));
  secrets.push(browser.cookie.split('=')[1] ?? '');
  sessions.set(name, browser);
  if (tokens.has(name)) return;
  tokens.set(name, bearer((await newToken(browser, name, 't')).secret));
  tokens.set(`${name} elsewhere`, bearer((await newToken(browser, name, 't', { operations: ['whoAmI'] })).secret));
  tokens.set(`${name} expired`, bearer((await newToken(browser, name, 't', { lifeMs: 60_000 })).secret));
}

const belongingsOf = (person: Person, place: Place): Belongings =>
  (place === 'own' ? tenants.own.get(person) : place === 'foreign' ? tenants.victim : undefined) ?? MISSING;

function idsOf({ vmId, pointId, runId }: Belongings): Ids {
  return { vmId: `${vmId}`, repository: 'main', pointId, runId, name: 'spare', user: 'viewer', tokenId: tokenOfAnother };
}

interface Asked {
  readonly body: unknown;
  readonly reply: RawReply;
}

/** What a sample of the schema would not be: something that works. */
const BODIES: Readonly<Record<string, () => object>> = {
  putPolicy: () => ({ ...SPARE_POLICY, description: 'again' }),
  previewPolicy: () => ({ ...SPARE_POLICY, select: { include: ['*'] } }),
  putRepository: () => ({ place: tenants.sparePlace, create: false }),
  checkRepository: () => ({ place: tenants.sparePlace }),
  applySettings: () => ({ yaml: 'limits: {total: 100}\n', dryRun: true }),
  testNotification: () => ({ channel: `${HOUSE}-hook` }),
  setRole: () => ({ role: 'viewer' }),
};

async function ask(operation: Documented, who: Somebody, ids: Ids, only = Number.POSITIVE_INFINITY): Promise<readonly Asked[]> {
  const own = BODIES[operation.operationId];
  const expiresAt = new Date(clock.now().getTime() + 60_000);
  const credentials = { user: 'viewer', password: passwordOf('viewer') };
  const bodies = own === undefined ? bodiesOf({ operation, ids, definitions, signIn: credentials, expiresAt }) : [own()];
  const asked: Asked[] = [];
  for (const body of bodies.slice(0, only)) {
    const path = pathOf(operation, ids);
    const reply = operation.operationId === 'watch' ? await listen(who, path, ids['runId'] ?? '') : await call(who, operation, path, body);
    replies.push(reply);
    asked.push({ body, reply });
  }
  return asked;
}

const call = (who: Somebody, { method }: Documented, path: string, body: unknown): Promise<RawReply> =>
  send(tenants.base, path, { method: method.toUpperCase(), headers: who.headers, body });

/** A stream has no end: everything from the beginning until the last event of somebody's own run, or of the newest run there is. */
function listen(who: Somebody, path: string, runId: string): Promise<RawReply> {
  const { hostname: host, port } = tenants.base;
  const last = runId === tenants.victim.runId || runId === MISSING.runId ? lastOwnRun(who) : runId;
  return new Promise((resolve, reject) => {
    const request = get({ host, port, path, agent: false, headers: { ...who.headers, 'last-event-id': '0' } }, (response) => {
      let text = '';
      const done = (): void => {
        const isProblem = response.statusCode !== 200;
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json: isProblem ? JSON.parse(text) : undefined });
        request.destroy();
      };
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        if (response.statusCode === 200 && text.includes(`"runId":"${last}","type":"run.ended"`)) done();
      });
      response.on('end', done);
    });
    request.on('error', reject);
  });
}

function lastOwnRun(who: Somebody): string {
  const [person] = [...sessions].find(([, session]) => session === who) ?? [...tokens].find(([, token]) => token === who) ?? [];
  return tenants.own.get((person ?? 'admin').split(' ')[0] as Person)?.runId ?? '';
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

/** What keeps somebody who may from having it, in this world: the handler said so, not the rules before it. */
const HINDRANCES: Readonly<Record<string, readonly string[]>> = {
  startRun: ['SERVER_NOT_FOUND'], // retention names a policy that is not there
  previewRestore: ['SERVER_REQUEST_INVALID', 'JOB_UNDO_UNKNOWN'], // most kinds have no preview, and nothing was replaced
  listFiles: ['FILES_LIBGUESTFS_MISSING'],
  readFile: ['FILES_LIBGUESTFS_MISSING', 'SERVER_REQUEST_INVALID'],
  cancelRun: ['QUEUE_RUN_ENDED'],
  deleteRepository: [],
  testNotification: ['SERVER_NOTIFICATION_FAILED'],
  applySettings: [],
};

function isRight(operation: Documented, wanted: 'done' | 403 | 404, { status, json }: RawReply): boolean {
  if (wanted !== 'done') return status === wanted;
  return (status >= 200 && status < 300) || HINDRANCES[operation.operationId]?.includes(json?.code) === true;
}

/** Where administrators read what is everybody's: policies, settings, the audit log, figures. */
const ADMINISTRATION: ReadonlySet<string> = new Set(
  'listPolicies putPolicy exportSettings applySettings listUsers listTokens readAudit metrics listOrphans doctor retentionCalendar'.split(' '),
);
/** Where the house is told of, beside that. */
const HOUSEKEEPING: ReadonlySet<string> = new Set('listRepositories putRepository overview listRuns getRun watch runLog watchRun testNotification'.split(' '));

function leaksOf(operation: Documented, person: Person, { text, headers }: RawReply): readonly string[] {
  const all = text + JSON.stringify(headers);
  const marks = [CANARY, tenants.victim.pointId, ...(operation.operationId === 'metrics' ? [] : [tenants.victim.runId])];
  const isAdmin = person === 'admin';
  const leaks = isAdmin && ADMINISTRATION.has(operation.operationId) ? [] : marks.filter((mark) => revealed(all).includes(mark));
  const isHouse = revealed(all).includes(HOUSE);
  return isHouse && !(isAdmin && (ADMINISTRATION.has(operation.operationId) || HOUSEKEEPING.has(operation.operationId))) ? [...leaks, HOUSE] : leaks;
}

/** With what stands in base64, as cursors do. */
function revealed(text: string): string {
  return [text, ...[...text.matchAll(/[\w-]{16,}/g)].map(([word]) => Buffer.from(word, 'base64url').toString())].join('\n');
}

async function surprises(operation: Documented, person: Person, place: Place): Promise<readonly object[]> {
  const wrong: object[] = [];
  const mine = belongingsOf(person, place);
  for (const { body, reply } of await ask(operation, sessions.get(person) ?? ANYBODY, idsOf(mine))) {
    const wanted = expected(operation, person, place, body);
    if (!isRight(operation, wanted, reply)) wrong.push({ id: operation.operationId, body, wanted, status: reply.status, text: reply.text.slice(0, 500) });
    // An id that somebody named themselves comes back in a refusal of no kind.
    const leaks = leaksOf(operation, person, reply);
    if (leaks.length > 0) wrong.push({ id: operation.operationId, body, leaks, text: reply.text.slice(0, 800) });
  }
  await putBack(operation.operationId, person);
  return wrong;
}

async function putBack(operationId: string, person: Person): Promise<void> {
  const { oneadmin, ask: api } = tenants;
  if (operationId === 'signOut') await giveCredentials(person);
  if (person !== 'admin') return;
  if (operationId === 'deleteToken') tokenOfAnother = (await newToken(oneadmin, 'admin', `${CANARY}-token`)).id;
  if (operationId === 'deletePolicy') expect((await api(oneadmin, 'PUT', '/policies/spare', SPARE_POLICY)).status).toBe(200);
  if (operationId === 'deleteRepository')
    expect((await api(oneadmin, 'PUT', '/repositories/spare', { place: tenants.sparePlace, create: false })).status).toBe(200);
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
    const strangers = [ANYBODY, tokens.get('admin expired') ?? ANYBODY, bearer('rubbish'), { headers: { cookie: `onevault_session=${'a'.repeat(43)}` } }];
    for (const operation of operations.filter(({ role }) => role !== 'public')) {
      for (const who of strangers) {
        const [{ reply } = { reply: undefined }] = await ask(operation, who, idsOf(tenants.victim), 1);
        expect({ id: operation.operationId, status: reply?.status, code: reply?.json.code }).toEqual({
          id: operation.operationId,
          status: 401,
          code: 'SERVER_NOT_SIGNED_IN',
        });
      }
    }
  });

  it('is refused to a token for something else, whatever it names', async () => {
    for (const operation of operations.filter(({ role, operationId }) => role !== 'public' && operationId !== 'whoAmI')) {
      for (const place of PLACES) {
        const [{ reply } = { reply: undefined }] = await ask(operation, tokens.get('admin elsewhere') ?? ANYBODY, idsOf(belongingsOf('admin', place)), 1);
        expect({ id: operation.operationId, status: reply?.status }).toEqual({ id: operation.operationId, status: 403 });
      }
    }
  });

  describe.each(PEOPLE)('asked by a signed-in %s', (person) => {
    it.each(PLACES)('about %s objects does what role and object allow, and tells of nothing foreign', async (place) => {
      const wrong: object[] = [];
      for (const operation of operations) wrong.push(...(await surprises(operation, person, place)));
      expect(wrong).toEqual([]);
    });

    it('says the same of what is somebody else’s and of what is not there', async () => {
      let compared = 0;
      for (const who of [sessions.get(person) ?? ANYBODY, tokens.get(person) ?? ANYBODY]) {
        for (const operation of operations.filter(isOfVm)) {
          const foreign = await ask(operation, who, idsOf(tenants.victim));
          const missing = await ask(operation, who, idsOf(MISSING));
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
    const texts = (await Promise.all(['audit', 'settings', 'tokens.json'].map((part) => textsIn(`${tenants.directory}/${part}`)))).flat();
    expect(secrets.length).toBeGreaterThan(15);
    expect(texts.length).toBeGreaterThan(2);
    for (const secret of secrets) {
      expect(secret.length).toBeGreaterThan(10);
      for (const text of [...texts, ...logged]) expect(text).not.toContain(secret);
      expect(replies.filter(({ text }) => text.includes(secret) && !text.includes('"secret":'))).toEqual([]);
    }
    expect(logged.length).toBeGreaterThan(100);
    expect(replies.length).toBeGreaterThan(500);
  });
});

async function textsIn(path: string): Promise<readonly string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(() => undefined);
  if (entries === undefined) return [await readFile(path, 'utf8')];
  return Promise.all(entries.filter((entry) => entry.isFile()).map((entry) => readFile(`${entry.parentPath}/${entry.name}`, 'utf8')));
}
