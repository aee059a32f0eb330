import type { Transport, XmlRpcCall } from '@onevault/one-client';
import { httpTransport } from '@onevault/one-client';
import { backupVm, restoreVm } from '@onevault/orchestrator';
import { expect, test } from 'vitest';
import { makeWorld, type World } from '../support/world.ts';

/** Reads that a wait repeats until something is done: how many there are is a matter of time, and not counted here. */
const POLLED = new Set(['one.vm.info', 'one.image.info']);

interface Calls {
  /** Of each method, in no order. */
  readonly counted: Readonly<Record<string, number>>;
  /** Of their answers. */
  readonly bytes: number;
}

/** Runs a job over a client that counts. */
async function counting(world: World, job: (deps: ReturnType<World['deps']>) => Promise<unknown>): Promise<Calls> {
  const calls: XmlRpcCall[] = [];
  let bytes = 0;
  await using wire = httpTransport(world.sim.endpoint);
  const transport: Transport = async (call, options) => {
    calls.push(call);
    const answer = await wire(call, options);
    if (!POLLED.has(call.method)) bytes += JSON.stringify(answer).length;
    return answer;
  };
  const cloud = world.connect({ transport });
  await job(world.deps({ cloud }));
  const counted: Record<string, number> = {};
  for (const { method } of calls) if (!POLLED.has(method)) counted[method] = (counted[method] ?? 0) + 1;
  return { counted, bytes };
}

const OTHERS = 400;

const total = ({ counted }: Calls): number => Object.values(counted).reduce((sum, count) => sum + count, 0);

async function backupCalls(disks: number, others: number): Promise<Calls> {
  await using world = await makeWorld({ disks: Array.from({ length: disks }, () => ({ sizeMiB: 2 })), volatileMiB: [], others });
  return await counting(world, (deps) => backupVm(deps, world.backupRequest()));
}

test('a backup makes as many calls in a large cloud as in a small one, and reads as much', { timeout: 120_000 }, async () => {
  const [alone, crowded] = [await backupCalls(2, 0), await backupCalls(2, OTHERS)];
  expect(crowded.counted).toEqual(alone.counted);
  // The bodies of datastores, hosts and clusters list the ids of what is in them, `<ID>1234</ID>`: nothing else may grow.
  const listing = Object.entries(alone.counted).flatMap(([method, count]) => (/^one\.(datastore|host|cluster)/.test(method) ? [count] : []));
  const ids = listing.reduce((sum, count) => sum + count, 0) * 2 * OTHERS;
  expect(crowded.bytes).toBeLessThan(alone.bytes + ids * '<ID>1234</ID>'.length);
});

test('the calls of a backup grow with the disks of its VM, each disk costing the same', { timeout: 120_000 }, async () => {
  const [one, two, four] = [await backupCalls(1, 0), await backupCalls(2, 0), await backupCalls(4, 0)];
  const perDisk = total(two) - total(one);
  expect(perDisk).toBeLessThanOrEqual(8);
  expect(total(four) - total(two)).toBe(2 * perDisk);
});

test('a restore reads no pool that grows with VMs but that of images, for names that are taken', { timeout: 120_000 }, async () => {
  await using world = await makeWorld({ volatileMiB: [] });
  const { pointId } = await backupVm(world.deps(), world.backupRequest());
  const { counted } = await counting(world, (deps) => restoreVm(deps, world.restoreRequest(pointId)));
  expect(Object.keys(counted).filter((method) => /pool/.test(method))).toEqual(['one.datastorepool.info', 'one.imagepool.info', 'one.hostpool.info']);
});
