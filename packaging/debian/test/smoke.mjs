/**
 * What a user does with an installed server, over its API.
 * Usage: smoke.mjs backup    sign in, add a repository, back a VM up, find its restore point, verify it
 *        smoke.mjs begin     a backup that OpenNebula does not get on with before the server stops; comes back when it is under way
 *        smoke.mjs finish    it is done, once, and its point is good
 *        smoke.mjs refused   the server has ended, because the database is newer
 * A second argument: where etc/onevault/server.env, var/log/onevault.{out,err} and run/ are; default: /
 */
import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';

const [, script, act, ROOT = ''] = process.argv;
/** Of the backup that was begun. */
const BEGUN = `${ROOT}/run/begun.json`;
const ENDED = ['succeeded', 'degraded', 'failed', 'cancelled', 'skipped'];
const headers = { 'content-type': 'application/json' };
let base = '';

const settings = Object.fromEntries(
  (await readFile(`${ROOT}/etc/onevault/server.env`, 'utf8')).split('\n').flatMap((line) => [/^([A-Z_]+)=(.*)$/.exec(line)?.slice(1) ?? []]),
);

async function call(method, path, body) {
  const answer = await fetch(`${base}/api/v1${path}`, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return { answer, json: text === '' ? undefined : JSON.parse(text) };
}

async function until(what, seconds, ask) {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const value = await ask();
    if (value !== undefined) return value;
    if (Date.now() > deadline) throw new Error(`not within ${seconds} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Of the simulator; on another OpenNebula nobody has such a button. */
async function cloud(button, input) {
  const answer = await fetch(new URL(`/sim/${button}`, settings.ONE_XMLRPC), { method: 'POST', headers, body: JSON.stringify(input) });
  if (!answer.ok) throw new Error(`${button}: ${await answer.text()}`);
}

async function signIn() {
  base = await until('the server is ready', 120, async () => /ready at (http\S*?)\/?\s/.exec(await readFile(`${ROOT}/var/log/onevault.out`, 'utf8'))?.[1]);
  const [user, password] = (await readFile(settings.ONE_AUTH, 'utf8')).trim().split(/:(.*)/s);
  const { answer, json } = await call('POST', '/session', { user, password });
  headers.cookie = answer.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';', 1)[0])
    .join('; ');
  headers['x-csrf-token'] = json.csrfToken;
  return json;
}

const vmNamed = (wanted) => until('the VM is seen', 60, async () => (await call('GET', '/vms')).json.items.find(({ name }) => name === wanted));
const pointsOf = async (vm) => (await call('GET', `/vms/${vm}/points`)).json.items;
const begin = async (request) => (await call('POST', '/runs', request)).json.id;

async function succeeded(id) {
  const run = await until('the run ends', 120, async () => {
    const { json } = await call('GET', `/runs/${id}`);
    return ENDED.includes(json.state) ? json : undefined;
  });
  if (run.state !== 'succeeded' && run.state !== 'degraded') throw new Error(`${run.request.kind} ${run.state}: ${JSON.stringify(run.failure)}`);
  return run;
}

async function logOf(id) {
  const answer = await fetch(`${base}/api/v1/runs/${id}/log`, { headers });
  return (await answer.text())
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/** Of a backup that has succeeded: one more than before, and all can be read. */
async function oneMore(vm, before) {
  const points = await until('the restore point is listed', 30, async () => {
    const now = await pointsOf(vm);
    return now.length > before ? now : undefined;
  });
  if (points.length !== before + 1) throw new Error(`${points.length - before} restore points of one backup`);
  await succeeded(await begin({ kind: 'verify', repository: 'main', mode: 'all' }));
  return points;
}

const ACTS = {
  async backup() {
    const session = await signIn();
    const { json: repositories } = await call('GET', '/repositories');
    if (!repositories.some(({ name }) => name === 'main')) await call('PUT', '/repositories/main', { place: '/srv/onevault/main', create: true });
    const vm = await vmNamed('web');
    const before = (await pointsOf(vm.id)).length;
    const run = await succeeded(await begin({ kind: 'backup', vmId: vm.id, repository: 'main' }));
    const points = await oneMore(vm.id, before);
    return `signed in as ${session.user} on ${session.version}; run ${run.id} ${run.state}; ${points.length} restore point(s) of ${vm.name}, verified`;
  },
  async begin() {
    await signIn();
    const vm = await vmNamed('web');
    const before = (await pointsOf(vm.id)).length;
    await cloud('hold', { steps: ['saveas'] });
    const id = await begin({ kind: 'backup', vmId: vm.id, repository: 'main' });
    await until('the backup is under way', 60, async () =>
      (await call('GET', `/runs/${id}`)).json.steps.find(({ step, outcome }) => step === 'export' && outcome === 'running'),
    );
    await writeFile(BEGUN, JSON.stringify({ id, vm: vm.id, before }));
    spawn(process.execPath, [script, 'release', ROOT], { detached: true, stdio: 'ignore' }).unref();
    return `run ${id} is under way`;
  },
  async release() {
    await until('the server is told to stop', 300, async () => (await readFile(`${ROOT}/run/onevault-server.stopping`).catch(() => undefined)) && true);
    await cloud('release', {});
    return 'released';
  },
  async finish() {
    const session = await signIn();
    const { id, vm, before } = JSON.parse(await readFile(BEGUN, 'utf8'));
    const run = await succeeded(id);
    const events = (await logOf(id)).map(({ type }) => type);
    const times = (wanted) => events.filter((type) => type === wanted).length;
    if (times('run.taken') !== 2 || times('restore-point.committed') !== 1) throw new Error(`not begun twice and done once: ${events.join(' ')}`);
    const points = await oneMore(vm, before);
    return `signed in on ${session.version}; run ${id} was begun again and ${run.state}; ${points.length} restore points, verified`;
  },
  async refused() {
    const said = await until('the server says why it does not start', 60, async () => {
      const text = await readFile(`${ROOT}/var/log/onevault.err`, 'utf8');
      return text.includes('QUEUE_DATABASE_NEWER') && !(await alive()) ? text : undefined;
    });
    return said.trim();
  },
};

async function alive() {
  const pid = (await readFile(`${ROOT}/run/onevault-server.pid`, 'utf8')).trim();
  return readFile(`/proc/${pid}/stat`, 'utf8').then(
    (stat) => !/\) Z /.test(stat),
    () => false,
  );
}

process.stdout.write(`${await ACTS[act]()}\n`);
