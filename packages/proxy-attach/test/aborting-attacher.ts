import type { CallOptions } from '@onevault/base';
import type { FakeClock } from '@onevault/base/testing';
import { chooseIdentification, createAttacher, type DiskAttacher } from '../src/index.ts';
import type { FakeProxy } from '../testing/index.ts';

/** An attacher whose clock aborts the signal in the first sleep that ends at or after `abortAtMs`. */
export function abortingAttacher(proxy: FakeProxy, clock: FakeClock, controller: AbortController, abortAtMs: number, reason: Error): DiskAttacher {
  let abortAt: number | undefined = abortAtMs;
  const sleep = async (ms: number, options?: CallOptions): Promise<void> => {
    await clock.sleep(ms, options);
    if (abortAt === undefined || clock.monotonicMs() < abortAt) return;
    abortAt = undefined;
    controller.abort(reason);
    options?.signal?.throwIfAborted();
  };
  const ticking = { now: () => clock.now(), monotonicMs: () => clock.monotonicMs(), sleep };
  return createAttacher({
    clock: ticking,
    identification: chooseIdentification('7.0.2'),
    sysfs: (options) => proxy.sysfs(options),
    api: {
      ...proxy.api,
      async waitFor(done, options) {
        for (let view = await proxy.api.view(options); ; view = await proxy.api.view(options)) {
          if (done(view)) return view;
          await sleep(1_000, options);
        }
      },
    },
  });
}
