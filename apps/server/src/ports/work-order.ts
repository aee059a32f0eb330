import { z } from 'zod';

/**
 * What a worker is given: the request as the API took it, and everything of the settings that it needs, so that a worker has no settings of its own but its ONE_*
 * variables, its proxy and its secrets directory. Written into the queue as JSON; never a secret.
 */
export const workOrderSchema = z.object({
  /** A RunRequest of @onevault/api, checked again before it is done. */
  request: z.looseObject({ kind: z.string() }),
  repository: z.object({ name: z.string(), place: z.string(), secretFile: z.string().optional() }).optional(),
  /** Of a run for a policy: the policy as its document stands, for capture, excluded disks, retention, commands. */
  policy: z.record(z.string(), z.unknown()).optional(),
  /** Whose the restored VM and its images become; absent: the API user's. */
  owner: z.object({ userId: z.int(), groupId: z.int() }).optional(),
  /** The run is stopped in order at that moment, ms: its window ends. */
  stopAtMs: z.number().optional(),
  /** The run is skipped when it has not begun by that moment, ms. */
  startByMs: z.number().optional(),
});
export type WorkOrder = z.output<typeof workOrderSchema>;
