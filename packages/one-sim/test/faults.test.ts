import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startTestSimulator, type TestSimulator } from '../testing/index.ts';

let one: TestSimulator;
beforeAll(async () => {
  one = await startTestSimulator({ proxy: false });
});
afterEach(() => one.sim.control.clearFaults());
afterAll(() => one[Symbol.asyncDispose]());

const templates = async (): Promise<number> => (await one.sim.control.state()).templates.length;
const allocate = (name: string) => one.call('one.template.allocate', `NAME="${name}"\nCPU="1"\nMEMORY="1"`);

test('the next N calls of a method are refused, then it works again; other methods are not touched', async () => {
  await one.sim.control.inject({ fault: 'refuse', method: 'one.vmpool.info', count: 2, code: 8192, text: 'Cannot process request, no leader found' });
  const pool = () => one.call('one.vmpool.info', -2, -1, -1, -1);
  expect((await one.call('one.system.version')).ok).toBe(true);
  expect(await pool()).toMatchObject({ code: 8192, value: '[one.vmpool.info] Cannot process request, no leader found' });
  expect((await pool()).ok).toBe(false);
  expect((await pool()).ok).toBe(true);
});

describe('lost connections', () => {
  test('before the call was executed', async () => {
    const before = await templates();
    await one.sim.control.inject({ fault: 'drop-before', method: 'one.template.allocate' });
    await expect(allocate('before')).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(await templates()).toBe(before);
  });

  test('after the call was executed: the caller does not know, the object is there', async () => {
    const before = await templates();
    await one.sim.control.inject({ fault: 'drop-after', method: 'one.template.allocate' });
    await expect(allocate('after')).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(await templates()).toBe(before + 1);
  });

  test('an action whose answer was lost still happens', async () => {
    const { vmId } = await one.sim.control.createVm({ name: 'lost', disks: [] });
    await one.sim.control.inject({ fault: 'drop-after', method: 'one.vm.action' });
    await expect(one.call('one.vm.action', 'suspend', vmId)).rejects.toMatchObject({ code: 'ECONNRESET' });
    await one.sim.control.idle();
    expect((await one.sim.control.state()).vms.find((vm) => vm.id === vmId)?.stateText).toBe('SUSPENDED');
  });

  test('no answer at all', async () => {
    await one.sim.control.inject({ fault: 'hang', method: '*' });
    const signal = AbortSignal.timeout(100);
    const body = '<methodCall><methodName>one.system.version</methodName><params/></methodCall>';
    await expect(fetch(one.sim.endpoint, { method: 'POST', headers: { 'content-type': 'text/xml' }, body, signal })).rejects.toMatchObject({
      name: 'TimeoutError',
    });
  });
});

describe('bad answers', () => {
  test('XML that stops in the middle', async () => {
    await one.sim.control.inject({ fault: 'truncate', method: 'one.vmpool.info' });
    await expect(one.call('one.vmpool.info', -2, -1, -1, -1)).rejects.toThrow();
  });

  test('a body that stops in the middle of a good answer', async () => {
    const whole = await one.must('one.datastorepool.info');
    await one.sim.control.inject({ fault: 'truncate-body', method: 'one.datastorepool.info' });
    expect(await one.must('one.datastorepool.info')).toBe(whole.slice(0, Math.floor(whole.length / 2)));
  });

  test('a huge one', async () => {
    await one.sim.control.inject({ fault: 'huge-answer', method: 'one.vm.info', bytes: 3_000_000 });
    const response = await fetch(one.sim.endpoint, {
      method: 'POST',
      headers: { 'content-type': 'text/xml', connection: 'close' },
      body: '<methodCall><methodName>one.vm.info</methodName></methodCall>',
    });
    expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(3_000_000);
  });

  test('an HTTP error page, and a fault', async () => {
    await one.sim.control.inject({ fault: 'http-status', method: 'one.system.version', status: 503 });
    const response = await fetch(one.sim.endpoint, {
      method: 'POST',
      headers: { 'content-type': 'text/xml', connection: 'close' },
      body: '<methodCall><methodName>one.system.version</methodName></methodCall>',
    });
    await response.text();
    expect(response.status).toBe(503);
    await one.sim.control.inject({ fault: 'xmlrpc-fault', method: 'one.system.version', code: -504, text: 'oops' });
    expect(await one.call('one.system.version')).toMatchObject({ fault: true, code: -504, value: 'oops' });
  });
});
