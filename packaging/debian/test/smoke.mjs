/**
 * What a user does first, over the API of an installed server: sign in, see the VMs, add a repository, back a VM up. Ends with 0 when the restore point is there.
 * Usage: smoke.mjs URL USER:PASSWORD REPOSITORY-DIRECTORY
 */
const [base, credentials = '', place] = process.argv.slice(2);
const [user, password] = credentials.trim().split(/:(.*)/s);
const headers = { 'content-type': 'application/json' };

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

const { answer, json: session } = await call('POST', '/session', { user, password });
headers.cookie = answer.headers
  .getSetCookie()
  .map((cookie) => cookie.split(';', 1)[0])
  .join('; ');
headers['x-csrf-token'] = session.csrfToken;

const { json: repositories } = await call('GET', '/repositories');
if (!repositories.some(({ name }) => name === 'main')) await call('PUT', '/repositories/main', { place, create: true });
const vm = await until('the VM is seen', 60, async () => (await call('GET', '/vms')).json.items.find(({ name }) => name === 'web'));
const before = (await call('GET', `/vms/${vm.id}/points`)).json.items.length;
const { id } = (await call('POST', '/runs', { kind: 'backup', vmId: vm.id, repository: 'main' })).json;
const run = await until('the run ends', 120, async () => {
  const { json } = await call('GET', `/runs/${id}`);
  return ['succeeded', 'degraded', 'failed', 'cancelled', 'skipped'].includes(json.state) ? json : undefined;
});
if (run.state !== 'succeeded' && run.state !== 'degraded') throw new Error(`the backup ${run.state}: ${JSON.stringify(run.failure)}`);
const points = await until('the restore point is listed', 30, async () => {
  const { items } = (await call('GET', `/vms/${vm.id}/points`)).json;
  return items.length > before ? items : undefined;
});
process.stdout.write(`signed in as ${session.user} on ${session.version}; run ${id} ${run.state}; ${points.length} restore point(s) of ${vm.name}\n`);
