import type { Runs } from '@onevault/run-queue';
import { z } from 'zod';
import type { WorkerRegistry } from '../ports/worker-registry.ts';

const standing = z.object({
  proxyVm: z.object({ id: z.int(), name: z.string() }).optional(),
  datastores: z
    .array(z.object({ id: z.int(), name: z.string(), reachable: z.boolean(), reasons: z.array(z.object({ code: z.string(), text: z.string() })) }))
    .default([]),
});

/** Workers as they last said themselves; what a later version says that this one does not understand is left out. */
export function workerRegistry(runs: Pick<Runs, 'workers'>): WorkerRegistry {
  return {
    async list() {
      const workers = await runs.workers();
      return workers.map(({ name, lastSeenAt, running, slots, standing: said }) => {
        const { proxyVm, datastores } = standing.safeParse(said).data ?? { proxyVm: undefined, datastores: [] };
        return { name, proxyVm, lastSeenAt, running, slots, datastores };
      });
    },
  };
}
