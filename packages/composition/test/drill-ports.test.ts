import { connect, type Socket } from 'node:net';
import { type CallOptions, systemClock } from '@onevault/base';
import { FakeClock } from '@onevault/base/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { commandProbes } from '../src/drill/command-probes.ts';
import { tcpConsoles } from '../src/drill/tcp-consoles.ts';

const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

async function dial({ host, port }: { readonly host: string; readonly port: number }): Promise<Socket> {
  const socket = connect({ host, port });
  sockets.push(socket);
  await new Promise((resolve) => socket.once('connect', resolve));
  return socket;
}

describe('a serial console over TCP', () => {
  const open = (): ReturnType<ReturnType<typeof tcpConsoles>['open']> => tcpConsoles({ host: '127.0.0.1', port: 0 }).open();

  it('finds a line that comes in pieces, in colours, and tells what was written last', async () => {
    await using console = await open();
    const found = console.match(/^web login:/);
    const socket = await dial(console);
    const esc = String.fromCharCode(27);
    socket.write(`[  ${esc}[0;32mOK${esc}[0m  ] Started cron\r\nweb lo`);
    socket.write('gin: ');
    expect(await found).toBe('web login: ');
    expect(console.tail()).toBe('[  OK  ] Started cron\nweb login: ');
    expect(await console.match(/cron$/)).toBe('[  OK  ] Started cron');
  });

  it('takes the newest connection, as qemu makes one when it lost the last', async () => {
    await using console = await open();
    const first = await dial(console);
    const gone = new Promise((resolve) => first.once('close', resolve));
    const second = await dial(console);
    await gone;
    second.write('ready\n');
    expect(await console.match(/^ready$/)).toBe('ready');
  });

  it('keeps the last 16 KiB of a guest that writes without end', async () => {
    await using console = await open();
    const socket = await dial(console);
    const found = console.match(/^the end$/);
    socket.write(`${'x'.repeat(200_000)}\nthe end\n`);
    await found;
    expect(console.tail().length).toBeLessThanOrEqual(2000);
    await expect(console.match(/x{20000}/, { signal: AbortSignal.abort() })).rejects.toThrow();
  });

  it('is gone when it is given back, and says so when it cannot listen', async () => {
    const console = await open();
    await console[Symbol.asyncDispose]();
    const refused = new Promise((resolve) => connect({ host: console.host, port: console.port }).once('error', resolve));
    expect(await refused).toMatchObject({ code: 'ECONNREFUSED' });
    await using other = await open();
    await expect(tcpConsoles({ host: '127.0.0.1', port: other.port }).open()).rejects.toMatchObject({ code: 'CLI_CONSOLE_FAILED' });
  });
});

describe('a probe', () => {
  const env = {
    PATH: process.env['PATH'],
    ONEVAULT_PASSPHRASE: 'secret',
    AWS_SECRET_ACCESS_KEY: 'secret',
    DATABASE_URL: 'postgresql://onevault:secret@db/onevault',
    PGPASSWORD: 'secret',
  };
  const node = (script: string): readonly string[] => [process.execPath, '-e', script];

  it('is told the facts and none of our settings, without a shell, and its exit and output come back', async () => {
    const probes = commandProbes({ env, clock: systemClock });
    const script = 'console.log(process.env.ONEVAULT_DRILL_VM_ID, process.argv[1], JSON.stringify(process.env).includes("secret")); process.exit(3)';
    const end = await probes.run({ argv: [...node(script), '$HOME;x'], env: { ONEVAULT_DRILL_VM_ID: '7' }, timeoutMs: 60_000 });
    expect(end).toEqual({ exitCode: 3, output: '7 $HOME;x false' });
  });

  it('is ended with all it started when its time is up, and what it printed last is kept', async () => {
    const clock = new FakeClock();
    const probes = commandProbes({ env, clock });
    const script = `const { spawn } = require('node:child_process'); process.on('SIGTERM', () => 0);
      const child = spawn(process.execPath, ['-e', 'process.on("SIGTERM", () => 0); setInterval(() => 0, 1e6)'], { stdio: 'inherit' });
      child.once('spawn', () => console.log('x'.repeat(5000) + ' waiting'));`;
    const end = probes.run({ argv: node(script), env: {}, timeoutMs: 30_000 });
    const ended = end.then(() => true);
    for (let over = false; !over; ) {
      await clock.advance(1000);
      over = await Promise.race([ended, new Promise<false>((resolve) => setImmediate(() => resolve(false)))]);
    }
    expect((await end).exitCode).toBeUndefined();
    expect((await end).output.length).toBeLessThanOrEqual(2000);
  });

  it('that leaves a daemon behind, which holds its output open, has ended all the same', async () => {
    const quick = {
      ...systemClock,
      now: systemClock.now,
      monotonicMs: systemClock.monotonicMs,
      sleep: (ms: number, call?: CallOptions) => systemClock.sleep(ms / 20, call),
    };
    const daemon = 'setTimeout(() => 0, 20_000)';
    const script = `const child = require('node:child_process').spawn(process.execPath, ['-e', '${daemon}'], { stdio: 'inherit', detached: true });
      child.unref(); child.once('spawn', () => { console.log('pid ' + child.pid); process.exit(0); });`;
    const end = await commandProbes({ env, clock: quick }).run({ argv: node(script), env: {}, timeoutMs: 200_000 });
    const [, pid] = /^pid (\d+)$/.exec(end.output) ?? [];
    process.kill(Number(pid), 'SIGKILL');
    expect(end).toEqual({ exitCode: 0, output: `pid ${pid}` });
  });

  it('that cannot be started says so; an abort ends it and is the answer', async () => {
    const probes = commandProbes({ env, clock: systemClock });
    await expect(probes.run({ argv: ['/no/such/program'], env: {}, timeoutMs: 1000 })).rejects.toMatchObject({ code: 'CLI_PROBE_FAILED' });
    const abort = new AbortController();
    const run = probes.run({ argv: node('console.log(1); setInterval(() => 0, 1e6)'), env: {}, timeoutMs: 60_000 }, { signal: abort.signal });
    abort.abort();
    await expect(run).rejects.toMatchObject({ name: 'AbortError' });
  });
});
