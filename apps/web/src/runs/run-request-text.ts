import type { RunAsked } from '../api/answers.ts';

const TITLES: Readonly<Record<RunAsked['kind'], string>> = {
  backup: 'Backup',
  restore: 'Restore',
  'restore-in-place': 'Restore in place',
  undo: 'Undo',
  'snapshot-create': 'Snapshot',
  'snapshot-revert': 'Revert to snapshot',
  'snapshot-delete': 'Delete snapshot',
  drill: 'Drill',
  forget: 'Forget',
  verify: 'Verify',
  retention: 'Retention',
  gc: 'Garbage collection',
  recover: 'Recover',
};

export const RUN_KINDS = Object.keys(TITLES) as RunAsked['kind'][];

export function kindTitle(kind: string): string {
  return TITLES[kind as RunAsked['kind']] ?? kind;
}

/** What a run is about, in a few words; its VM is said elsewhere. */
export function aboutOf(request: RunAsked): string {
  switch (request.kind) {
    case 'backup':
      return `to ${request.repository}${request.mode === 'full' ? ', full' : ''}`;
    case 'restore':
      return `as ${request.name}`;
    case 'restore-in-place':
    case 'drill':
    case 'forget':
      return `of ${request.pointId}`;
    case 'snapshot-create':
      return request.name ?? '';
    case 'snapshot-revert':
    case 'snapshot-delete':
      return request.set;
    case 'verify':
      return `${request.repository}, ${request.mode ?? 'sample'}`;
    case 'retention':
      return `${request.repository}, ${request.policy}`;
    case 'gc':
      return request.repository;
    case 'undo':
    case 'recover':
      return '';
  }
}

/** The VM that a request names; that of a restore point is not in it. */
export function vmIdOf(request: RunAsked): number | undefined {
  return 'vmId' in request ? request.vmId : undefined;
}
