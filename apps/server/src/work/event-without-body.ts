import type { JobEvent } from '@onevault/orchestrator';

/**
 * An event as the database keeps it and the log of its run tells it: a plan without the VM's body, which may hold other people's secrets (CONTEXT,
 * USER_TEMPLATE). What the command line prints of a plan is all there.
 */
export function eventWithoutBody(event: JobEvent): object {
  if (event.type !== 'vm.planned') return event;
  const { vm, disks, ...plan } = event.plan;
  const { id, name, state, lcmState, history } = vm;
  return {
    ...event,
    plan: {
      ...plan,
      vm: { id, name, state, lcmState, history: history.slice(-1).map(({ vmMad }) => ({ vmMad })) },
      disks: disks.map(({ disk: { attributes: _, ...disk }, ...planned }) => ({ ...planned, disk })),
    },
  };
}
