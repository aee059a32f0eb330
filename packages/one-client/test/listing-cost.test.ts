import { Secret } from '@onevault/base';
import { expect, test } from 'vitest';
import { createOneClient } from '../src/index.ts';
import { onedSuccessXml } from './oned-answer.ts';
import { recordedBody } from './recorded-body.ts';
import { answer, scriptedOned } from './scripted-oned.ts';

const recorded = await recordedBody('7.4.0', '026');
const vm = recorded.slice(recorded.indexOf('<VM>'), recorded.indexOf('</VM>') + '</VM>'.length);

/** A pool of that many VMs in one page, the largest answer and so the worst case. */
function poolAnswer(count: number): string {
  const vms = Array.from({ length: count }, (_, n) => vm.replace(/<ID>\d+<\/ID>/, `<ID>${count - n}</ID>`));
  return onedSuccessXml(`<VM_POOL>${vms.join('')}</VM_POOL>`);
}

async function cpuSecondsToList(count: number): Promise<number> {
  await using oned = await scriptedOned(answer(poolAnswer(count)));
  await using one = createOneClient({ endpoint: oned.endpoint, session: new Secret('oneadmin:secret'), pageSize: count + 2 });
  const before = process.cpuUsage();
  let listed = 0;
  for await (const { diskCount } of one.vms()) listed += diskCount;
  const { user, system } = process.cpuUsage(before);
  expect(listed).toBe(count);
  return (user + system) / 1e6;
}

/** Seen: 6 to 11, on a machine with other work. */
test('ten times as many VMs cost about ten times as much, not a hundred', async () => {
  await cpuSecondsToList(500); // compiles what follows
  const few = Math.max(await cpuSecondsToList(500), await cpuSecondsToList(500));
  const many = await cpuSecondsToList(5000);
  expect(many / few).toBeLessThan(25);
}, 30_000);

test('reading a page leaves the event loop to others', async () => {
  await using oned = await scriptedOned(answer(poolAnswer(300)));
  await using one = createOneClient({ endpoint: oned.endpoint, session: new Secret('oneadmin:secret'), pageSize: 302 });
  let turns = 0;
  let longest = 0;
  let inThisTurn = 0;
  let handle = setImmediate(function count() {
    turns++;
    inThisTurn = 0;
    handle = setImmediate(count);
  });
  try {
    for await (const _vm of one.vms()) longest = Math.max(longest, ++inThisTurn);
  } finally {
    clearImmediate(handle);
  }
  expect(turns).toBeGreaterThan(10);
  expect(longest).toBeLessThanOrEqual(32);
});
