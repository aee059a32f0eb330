import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { systemClock } from '@onevault/base';
import { FakeClock } from '@onevault/base/testing';
import { describe, expect, it } from 'vitest';
import { hotplugLockName } from '../src/hotplug-lock.ts';
import { chooseIdentification, createAttacher, machineHotplugLock } from '../src/index.ts';
import { FakeProxy } from '../testing/index.ts';

let rooms = 0;
/** A proxy VM of its own for each test. */
const room = (): string => `lock test ${process.pid} ${++rooms}`;

describe('machineHotplugLock', () => {
  it('is held by one at a time, and free again when given back', async () => {
    const clock = new FakeClock({ auto: true });
    const proxyRoot = room();
    const [ours, theirs] = [machineHotplugLock({ clock, proxyRoot }), machineHotplugLock({ clock, proxyRoot })];
    const held = await ours.acquire(0);
    await expect(theirs.acquire(10_000)).rejects.toMatchObject({ code: 'ATTACH_PROXY_IN_USE', retryable: true, details: { timeoutMs: 10_000 } });
    expect(clock.monotonicMs()).toBeGreaterThanOrEqual(10_000);
    await held[Symbol.asyncDispose]();
    await using _ = await theirs.acquire(0);
  });

  it('is one for each proxy VM', async () => {
    const clock = new FakeClock({ auto: true });
    await using _ours = await machineHotplugLock({ clock, proxyRoot: room() }).acquire(0);
    await using _theirs = await machineHotplugLock({ clock, proxyRoot: room() }).acquire(0);
  });

  it('stops waiting with the reason of an aborted signal', async () => {
    const proxyRoot = room();
    const lock = machineHotplugLock({ clock: new FakeClock({ auto: true }), proxyRoot });
    await using _ = await lock.acquire(0);
    const reason = new Error('stop');
    await expect(lock.acquire(10_000, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it('is free in the moment its process is killed', async () => {
    const proxyRoot = room();
    const lock = machineHotplugLock({ clock: systemClock, proxyRoot });
    const bind = `require('net').createServer().listen(${JSON.stringify(hotplugLockName(proxyRoot))}, () => console.log('held'))`;
    const holder = spawn(process.execPath, ['-e', bind]);
    await once(holder.stdout, 'data');
    await expect(lock.acquire(0)).rejects.toMatchObject({ code: 'ATTACH_PROXY_IN_USE' });
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    await using _ = await lock.acquire(0);
  });
});

describe('two attachers on one proxy VM, as in two processes', () => {
  it.each(['with the lock', 'without it, by waiting for a busy VM'])('%s: every disk gets a device of its own and goes again', async (how) => {
    const clock = new FakeClock({ auto: true });
    const proxy = new FakeProxy({ clock });
    const lock = machineHotplugLock({ clock, proxyRoot: room() });
    const attacher = (): ReturnType<typeof createAttacher> =>
      createAttacher({
        api: proxy.api,
        sysfs: (options) => proxy.sysfs(options),
        clock,
        identification: chooseIdentification('7.0.2'),
        ...(how === 'with the lock' && { lock }),
      });
    const attachers = [attacher(), attacher()];
    const work = attachers.flatMap((each, who) =>
      [1, 2, 3].map(async (n) => {
        const imageId = 10 * (who + 1) + n;
        proxy.addImage(imageId, n);
        const disk = await each.attach({ imageId, sizeBytes: n * 1024 ** 2, serial: `ov-00000000000000${imageId}`, readOnly: true });
        await each.confirm(disk);
        await each.detach(disk);
        return disk;
      }),
    );
    const disks = await Promise.all(work);
    expect(disks.map((disk) => disk.imageId)).toEqual([11, 12, 13, 21, 22, 23]);
    expect(proxy.listed.map((disk) => disk.target)).toEqual(['vda']);
    expect((await proxy.sysfs()).map((device) => device.name)).toEqual(['vda']);
  });

  it('identification by difference is refused without a lock', () => {
    const clock = new FakeClock();
    const proxy = new FakeProxy({ clock });
    const identification = chooseIdentification('6.10.5', { bus: 'vd', byDifference: true });
    expect(() => createAttacher({ api: proxy.api, sysfs: () => proxy.sysfs(), clock, identification })).toThrow(TypeError);
  });
});
