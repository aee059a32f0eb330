import type { VerifyRecord } from '@onevault/backup-format';

export type PointHealth = 'damaged' | 'verified';

/** What the records of verify say of restore points: damaged by the newest, or read whole by the newest that read everything. Nothing of those no verify has seen. */
export function pointHealth(records: readonly VerifyRecord[]): (pointId: string) => PointHealth | undefined {
  const damaged = new Set(records.at(-1)?.damage.flatMap(({ points }) => points));
  const verified = new Set(records.findLast(({ mode }) => mode === 'all')?.soundPoints);
  return (pointId) => (damaged.has(pointId) ? 'damaged' : verified.has(pointId) ? 'verified' : undefined);
}
