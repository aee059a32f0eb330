import { createHmac } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, Scope, Secret, silentLogger } from '@onevault/base';
import { FakeClock } from '@onevault/base/testing';
import type { RunRecord } from '@onevault/run-queue';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openNotifier } from '../../src/notify/notifier.ts';
import type { NotificationChannel, NotificationCondition } from '../../src/ports/notification-channel.ts';
import { fleet, HookServer, inventoryVm, repositoryStanding, runRecord, serverSettings } from '../../testing/index.ts';

const NOW = Date.UTC(2026, 10, 10, 12);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

describe('notifications', () => {
  let scope: Scope;
  let hook: HookServer;
  let directory: string;
  beforeEach(async () => {
    scope = new Scope();
    directory = await mkdtemp(join(tmpdir(), 'onevault-notify-'));
    scope.defer(() => rm(directory, { recursive: true }));
    hook = scope.use(await HookServer.start());
  });
  afterEach(() => scope[Symbol.asyncDispose]());

  function webhook(on: readonly NotificationCondition[], overrides: Partial<Extract<NotificationChannel, { kind: 'webhook' }>> = {}): NotificationChannel {
    return { name: 'hook', kind: 'webhook', url: hook.url, secretFile: undefined, on, quietForMs: 26 * HOUR, ...overrides };
  }

  /** A cloud whose one VM was backed up an hour ago; everything in it can be changed. */
  function cloud(channels: readonly NotificationChannel[]) {
    const ended: RunRecord[] = [];
    const listeners = new Set<(run: RunRecord) => void>();
    const fake = new FakeClock({ startMs: NOW });
    let asleep = 0;
    const clock: Clock = {
      now: () => fake.now(),
      monotonicMs: () => fake.monotonicMs(),
      sleep: async (ms, options) => {
        asleep += 1;
        await fake.sleep(ms, options).finally(() => (asleep -= 1));
      },
    };
    /** Until both loops have nothing to do. */
    const idle = async (): Promise<void> => {
      for (let calm = 0; calm < 3; calm = asleep === 2 ? calm + 1 : 0) await new Promise((resolve) => setImmediate(resolve));
    };
    const now = { capturedMs: (NOW - HOUR) as number | undefined, reachable: true, orphans: 0 as number | undefined, vms: [inventoryVm(17, { name: 'web' })] };
    let ids = 0;
    const { inventory, catalog } = fleet({ vms: [], capturedMs: () => now.capturedMs });
    const open = () =>
      openNotifier({
        clock,
        logger: silentLogger,
        random: () => 0.5,
        newId: () => `id-${++ids}`,
        directory,
        server: 'backup-1',
        settings: () => serverSettings({ notifications: channels }),
        runs: {
          list: async ({ after }) => (after === undefined ? ended.toReversed() : []),
          onEnded: (listener) => {
            listeners.add(listener);
            return { [Symbol.dispose]: () => void listeners.delete(listener) };
          },
        },
        inventory: { vms: () => now.vms, refreshedAt: inventory.refreshedAt },
        catalog: { ...catalog, repositories: () => [repositoryStanding({ reachable: now.reachable })] },
        orphans: () => now.orphans,
        readSecret: async (file) => new Secret(`content of ${file}`),
      });
    const end = (run: Partial<RunRecord> = {}): void => {
      const record = runRecord({ id: `run-${++ids}`, endedAt: clock.now(), queuedAt: clock.now(), ...run });
      ended.push(record);
      for (const listener of listeners) listener(record);
    };
    /** Lets minutes pass, and what waits in them be done. */
    const pass = async (ms: number): Promise<void> => {
      const step = ms > HOUR ? 10 * MINUTE : MINUTE;
      for (let left = ms; left > 0; left -= step) {
        fake.advance(step);
        await idle();
      }
    };
    return { now, end, pass, open, ended, clock };
  }

  const told = (): string[] =>
    hook.hooks.flatMap(({ body }) =>
      (JSON.parse(body) as { entries: { condition: string; over: boolean; subject: string }[] }).entries.map(
        (e) => `${e.over ? 'over ' : ''}${e.condition} ${e.subject}`,
      ),
    );
  const FAILED = { state: 'failed' as const, failure: { code: 'ONE_LOCKED', message: 'the VM is locked', hint: 'Unlock it' } };

  it('tell a failure once, again after a day, and when it is over', async () => {
    const { end, pass, open } = cloud([webhook(['failed', 'recovered'])]);
    await using _ = await open();
    end(FAILED);
    await pass(MINUTE);
    await expect.poll(told).toEqual(['failed backup of VM web (17)']);
    expect(JSON.parse(hook.hooks[0]?.body ?? '')).toMatchObject({
      server: 'backup-1',
      entries: [{ text: 'the VM is locked', code: 'ONE_LOCKED', hint: 'Unlock it', vmId: 17 }],
    });
    end(FAILED);
    await pass(MINUTE);
    end({ state: 'cancelled' });
    await pass(24 * HOUR);
    end(FAILED);
    await pass(MINUTE);
    await expect.poll(told).toHaveLength(2);
    expect(hook.hooks[1]?.body).toContain('3 times');
    end({ state: 'succeeded' });
    end({ state: 'succeeded' });
    await pass(MINUTE);
    await expect.poll(() => told().slice(2)).toEqual(['over recovered backup of VM web (17)']);
  });

  it('tell what was not done, beside what failed, and of a repository by its name', async () => {
    const { end, pass, open } = cloud([webhook(['failed', 'skipped', 'recovered'])]);
    await using _ = await open();
    const reason = { code: 'BREAKER_OPEN', text: 'left alone until tomorrow' };
    end(FAILED);
    end({ state: 'skipped', report: { reason } });
    end({ state: 'skipped', report: { reason } });
    end({ state: 'cancelled', report: {} });
    await pass(MINUTE);
    await expect.poll(told).toEqual(['failed backup of VM web (17)', 'skipped backup of VM web (17)']);
    expect(hook.hooks.map(({ body }) => body).join()).toContain('left alone until tomorrow');
    end();
    await pass(MINUTE);
    await expect.poll(() => told().slice(2)).toEqual(['over recovered backup of VM web (17)', 'over skipped backup of VM web (17)']);
    for (const name of ['main', 'other']) {
      const { vmId: _vm, vmName: _name, ...chore } = runRecord();
      const request = { request: { kind: 'gc', repository: name }, repository: { name, place: `/srv/${name}` } };
      end({ ...chore, ...FAILED, vmId: undefined as never, kind: 'gc', request, id: `gc-${name}` });
    }
    await pass(MINUTE);
    await expect.poll(() => told().slice(4)).toEqual(['failed gc of repository main', 'failed gc of repository other']);
  });

  it('are for those who listen: a channel hears of its conditions alone', async () => {
    const { end, pass, open } = cloud([webhook(['degraded'])]);
    await using _ = await open();
    end(FAILED);
    end({ state: 'degraded', report: { warnings: [{ code: 'CRASH_ONLY', message: 'no guest agent' }] } });
    end({ state: 'succeeded' });
    await pass(MINUTE);
    await expect.poll(told).toEqual(['degraded backup of VM web (17)']);
    expect(hook.hooks[0]?.body).toContain('no guest agent');
  });

  it('tell how things stand, when they change: RPO, repositories, orphans, and a VM that never had a restore point', async () => {
    const { now, pass, open } = cloud([webhook(['out-of-rpo', 'repository-unreachable', 'orphans'])]);
    await using _ = await open();
    await pass(2 * MINUTE);
    expect(told()).toEqual([]);
    Object.assign(now, { capturedMs: NOW - 27 * HOUR, reachable: false, orphans: 3 });
    await pass(3 * MINUTE);
    await expect.poll(() => told().sort()).toEqual(['orphans OpenNebula', 'out-of-rpo VM web (17)', 'repository-unreachable repository main']);
    Object.assign(now, { capturedMs: NOW, reachable: true, orphans: 0 });
    await pass(3 * MINUTE);
    await expect
      .poll(() => told().slice(3).sort())
      .toEqual(['over orphans OpenNebula', 'over out-of-rpo VM web (17)', 'over repository-unreachable repository main']);
    now.capturedMs = undefined;
    await pass(25 * HOUR);
    expect(told()).toHaveLength(6);
    await pass(2 * HOUR);
    await expect.poll(() => told().slice(6)).toEqual(['out-of-rpo VM web (17)']);
  });

  it('break the silence when nothing has run, and say when something does again', async () => {
    const { end, pass, open } = cloud([webhook(['nothing-ran'])]);
    await using _ = await open();
    end({ state: 'succeeded' });
    await pass(25 * HOUR);
    end(FAILED);
    expect(told()).toEqual([]);
    await pass(2 * HOUR);
    await expect.poll(told).toEqual(['nothing-ran schedules']);
    end({ state: 'succeeded' });
    await pass(2 * MINUTE);
    await expect.poll(told).toEqual(['nothing-ran schedules', 'over nothing-ran schedules']);
  });

  it('survive a restart: what waits is delivered, what ended meanwhile is told, nothing is told twice', async () => {
    const { end, pass, open, ended, clock } = cloud([webhook(['failed'])]);
    hook.answer = { status: 503 };
    const first = await open();
    end(FAILED);
    await pass(MINUTE);
    await expect.poll(() => hook.hooks.length).toBeGreaterThan(0);
    await first[Symbol.asyncDispose]();
    ended.push(runRecord({ id: 'while-away', vmId: 18, vmName: 'db', endedAt: clock.now(), queuedAt: clock.now(), ...FAILED }));
    hook.hooks.length = 0;
    hook.answer = { status: 200 };
    const second = await open();
    await pass(MINUTE);
    await expect.poll(told).toEqual(['failed backup of VM web (17)', 'failed backup of VM db (18)']);
    await second[Symbol.asyncDispose]();
    await using _ = await open();
    await pass(2 * MINUTE);
    expect(told()).toHaveLength(2);
  });

  it('are on the disk before they are tried, without any secret', async () => {
    const { end, open } = cloud([webhook(['failed'], { secretFile: 'hook.secret' })]);
    const notifier = await open();
    end(FAILED);
    await notifier[Symbol.asyncDispose]();
    const kept = await readFile(join(directory, 'notifications.json'), 'utf8');
    expect(JSON.parse(kept)).toMatchObject({ pending: { hook: [{ condition: 'failed', code: 'ONE_LOCKED' }] } });
    expect(kept).not.toContain('content of');
  });

  it('that cannot be delivered are tried again, less and less often, for a day; the metrics show it', async () => {
    const { end, pass, open } = cloud([webhook(['failed'])]);
    hook.answer = { status: 500 };
    await using notifier = await open();
    end(FAILED);
    await pass(2 * HOUR);
    await expect.poll(() => hook.hooks.length).toBeGreaterThan(4);
    expect(hook.hooks.length).toBeLessThan(30);
    expect(notifier.standing()).toMatchObject([{ channel: 'hook', delivered: 0, failures: hook.hooks.length, pending: 1, givenUp: 0 }]);
    await pass(23 * HOUR);
    await expect.poll(() => notifier.standing()).toMatchObject([{ pending: 0, givenUp: 1 }]);
  });

  it('that come together are one message, however many', async () => {
    const { end, pass, open } = cloud([webhook(['failed'], { format: 'text' })]);
    await using _ = await open();
    for (let vmId = 0; vmId < 300; vmId++) end({ vmId, vmName: `vm-${vmId}`, ...FAILED });
    await pass(MINUTE);
    await expect.poll(() => hook.hooks.length).toBe(1);
    expect(hook.hooks[0]?.body).toMatch(/^\[onevault backup-1\] 300 failed\n/);
    expect(hook.hooks[0]?.body).toContain('… and 280 more');
    expect(hook.hooks[0]?.body.length).toBeLessThan(8000);
  });

  it('are signed with the content of the secret file', async () => {
    const { open } = cloud([webhook(['failed'], { secretFile: 'hook.secret' })]);
    await using notifier = await open();
    await notifier.test('hook');
    const [, seconds, mac] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(hook.hooks[0]?.headers['x-onevault-signature'])) ?? [];
    expect(mac).toBe(createHmac('sha256', 'content of hook.secret').update(`${seconds}.${hook.hooks[0]?.body}`).digest('hex'));
    expect(seconds).toBe(String(NOW / 1000));
  });

  it('do not follow a redirect, and say the host but not the path, which may be the secret', async () => {
    const { open } = cloud([webhook(['failed'], { url: `${hook.url}/T00/secret-path` })]);
    await using notifier = await open();
    hook.answer = { status: 307, location: `${hook.url}/elsewhere` };
    const error: unknown = await notifier.test('hook').catch((refused: unknown) => refused);
    expect(error).toMatchObject({ code: 'SERVER_NOTIFICATION_FAILED' });
    expect(JSON.stringify(error)).not.toContain('secret-path');
    expect(hook.hooks.map(({ path }) => path)).toEqual(['/hook/T00/secret-path']);
    await expect(notifier.test('other')).rejects.toMatchObject({ code: 'SERVER_NOT_FOUND' });
  });

  it('a test that nobody answers ends when its caller goes', async () => {
    const { open } = cloud([webhook(['failed'])]);
    await using notifier = await open();
    hook.answer = undefined;
    const gone = new AbortController();
    const waits = notifier.test('hook', { signal: gone.signal });
    await expect.poll(() => hook.hooks.length).toBe(1);
    gone.abort(new Error('gone'));
    await expect(waits).rejects.toThrow('gone');
  });
});
