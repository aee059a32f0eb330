import type { Cloud } from '../cloud.ts';
import { diskIdOf } from '../model/disk-vector.ts';
import type { Quiesce } from '../model/transfer-driver.ts';
import { type GuestPause, notePause } from '../model/vm-history.ts';
import type { Vm } from '../model/world-schema.ts';
import type { Vector } from '../template/attributes.ts';
import { DriverFailure } from './operation-handler.ts';

/** Which guests a driver keeps from writing just now. Their writes wait, as a frozen filesystem's would. */
export class GuestPauses {
  readonly #held = new Map<number, { count: number; readonly over: Promise<void>; readonly end: () => void }>();

  hold(vmId: number): () => void {
    const entry = this.#held.get(vmId) ?? newEntry();
    entry.count++;
    this.#held.set(vmId, entry);
    return () => {
      entry.count--;
      if (entry.count > 0) return;
      this.#held.delete(vmId);
      entry.end();
    };
  }

  async untilRunning(vmId: number): Promise<void> {
    for (let entry = this.#held.get(vmId); entry; entry = this.#held.get(vmId)) await entry.over;
  }
}

function newEntry(): { count: number; readonly over: Promise<void>; readonly end: () => void } {
  let end = (): void => undefined;
  const over = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { count: 0, over, end };
}

interface PauseFacts {
  readonly why: GuestPause['why'];
  readonly disk: Vector;
  /** Bytes copied while it lasts. */
  readonly bytes: number;
  /** What the script prints when it may not go on. */
  readonly refusal: string;
}

/** Does the work with the guest quiesced as the driver's script does it, and notes for how long. Throws DriverFailure when the guest cannot be frozen. */
export async function quiesced<T>(cloud: Cloud, vm: Vm, how: Quiesce, facts: PauseFacts, work: () => Promise<T>): Promise<T> {
  const kind = pauseKind(vm, how);
  if (kind === 'refused') throw new DriverFailure(facts.refusal);
  if (kind === undefined) return work();
  const began = cloud.clock.monotonicMs();
  const resume = cloud.pauses.hold(vm.id);
  try {
    return await work();
  } finally {
    resume();
    notePause(vm, { how: kind, why: facts.why, disk: diskIdOf(facts.disk), bytes: facts.bytes, ms: Math.round(cloud.clock.monotonicMs() - began) });
  }
}

/** domfsfreeze needs an agent that answers; a container is frozen whole (lxc-freeze). */
function pauseKind(vm: Vm, how: Quiesce): GuestPause['how'] | 'refused' | undefined {
  if (how === 'none') return undefined;
  if (vm.history.at(-1)?.vmMad === 'lxc') return 'suspended';
  if (vm.guestAgent === 'works') return 'frozen';
  if (how === 'freeze-or-suspend') return 'suspended';
  return how === 'freeze-or-fail' ? 'refused' : undefined;
}
