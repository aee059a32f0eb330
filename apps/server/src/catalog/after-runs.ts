import { type Logger, serializeError } from '@onevault/base';
import type { RunRecord } from '@onevault/run-queue';
import { workOrderSchema } from '../ports/work-order.ts';
import type { DatabaseCatalog } from './database-catalog.ts';

export interface AfterRunsDeps {
  readonly runs: { onEnded(listener: (run: RunRecord) => void): Disposable };
  readonly catalog: Pick<DatabaseCatalog, 'refresh' | 'groupOf'>;
  readonly inventory: { groupOf(vmId: number): string | undefined };
  readonly logger: Logger;
}

/** What writes restore points of one VM; what is done for a whole repository. */
const OF_ONE_VM: ReadonlySet<string> = new Set(['backup', 'drill', 'forget']);
const OF_ALL: ReadonlySet<string> = new Set(['gc', 'retention', 'verify']);

/**
 * A run that wrote a repository is seen in the catalog at once, not at its next look: of a run of one VM only its restore points are read, however many there are of others.
 * Of the same that is asked for while it is being read, one more reading comes after it, however often it is asked for.
 */
export function afterRuns({ runs, catalog, inventory, logger }: AfterRunsDeps): Disposable {
  const reading = new Map<string, { again: boolean }>();
  const read = async (name: string, group: string | undefined, weigh: boolean): Promise<void> => {
    const key = `${name} ${group ?? ''}`;
    const before = reading.get(key);
    if (before !== undefined) {
      before.again = true;
      return;
    }
    const own = { again: true };
    reading.set(key, own);
    while (own.again) {
      own.again = false;
      await catalog
        .refresh(name, { weigh, ...(group !== undefined && { group }) })
        .catch((error: unknown) => logger.warn({ repository: name, error: serializeError(error) }, 'repository cannot be read'));
    }
    reading.delete(key);
  };
  return runs.onEnded(({ kind, request, vmId }) => {
    const name = workOrderSchema.safeParse(request).data?.repository?.name;
    if (name === undefined || !(OF_ONE_VM.has(kind) || OF_ALL.has(kind))) return;
    const group = vmId === undefined || OF_ALL.has(kind) ? undefined : (inventory.groupOf(vmId) ?? catalog.groupOf(vmId));
    void read(name, group, kind === 'gc');
  });
}
