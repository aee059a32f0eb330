// A server of the API in a process of its own, on built packages, so that a test can abuse it and see what becomes of its memory. Its handlers are samples.
import { silentLogger } from '@onevault/base';
import { makeAccessWorld, sampleHandlers } from '@onevault/server/testing';

const { users, limits } = JSON.parse(process.argv[2]);
const world = await makeAccessWorld({ logger: silentLogger, roles: { roles: {}, defaultRole: 'operator' } });
const secrets = [];
for (let user = 0; user < users; user++) {
  const { userId } = await world.sim.control.createUser({ name: `user-${user}`, password: `password-${user}` });
  const expiresAt = new Date(Date.now() + 3_600_000);
  const facts = { name: 'watcher', role: 'operator', operations: undefined, userId, owner: `user-${user}`, groupScope: undefined, expiresAt };
  secrets.push((await world.access.tokens.create(facts)).secret);
}

/** Says nothing, until it is over. */
async function* silence({ signal }) {
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
}

const objects = { inventory: { vm: () => undefined }, catalog: { get: async () => undefined }, runs: { get: async () => Promise.reject(new Error('no run')) } };
const { url } = await world.serve(objects, { ...sampleHandlers(), watch: silence }, { limits });
process.on('message', async (asked) => {
  const records = asked === 'audit' ? (await world.audit.read({ limit: 10_000 })).length : 0;
  process.send({ rssBytes: process.memoryUsage.rss(), records });
});
process.on('disconnect', () => process.exit(0));
process.send({ url: url.href, secrets });
