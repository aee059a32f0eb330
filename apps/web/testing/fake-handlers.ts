import type { Answer } from '@onevault/api';
import { accessHandlers } from './fake-access.ts';
import { type FakeHandlers, pageOf, pointOf } from './fake-call.ts';
import { fakeListing } from './fake-files.ts';
import { infrastructureHandlers } from './fake-infrastructure.ts';
import { policyHandlers } from './fake-policies.ts';
import { restoreHandlers } from './fake-restore.ts';
import type { FakeState } from './fake-state.ts';
import { Refusal } from './refusal.ts';

export function handlersOf(state: FakeState): FakeHandlers {
  return {
    ...accessHandlers(state),
    ...vmHandlers(state),
    ...pointHandlers(state),
    ...runHandlers(state),
    ...policyHandlers(state),
    ...infrastructureHandlers(state),
    ...restoreHandlers(state),
  };
}

function vmHandlers(state: FakeState): FakeHandlers {
  const worst = ['unprotected', 'out-of-rpo', 'protected', 'excluded'];
  const orders: Readonly<Record<string, (a: Answer<'getVm'>, b: Answer<'getVm'>) => number>> = {
    name: (a, b) => a.name.localeCompare(b.name),
    id: (a, b) => a.id - b.id,
    'newest-point': (a, b) => (b.newestPoint?.capturedAt ?? '').localeCompare(a.newestPoint?.capturedAt ?? ''),
    protection: (a, b) => worst.indexOf(a.protection.state) - worst.indexOf(b.protection.state),
  };
  return {
    listVms: ({ query }) => {
      const search = String(query['search'] ?? '');
      const fits = searched(search);
      const found = state.vms.filter((vm) => (query['protection'] === undefined || vm.protection.state === query['protection']) && fits(vm));
      return pageOf(found.toSorted(orders[String(query['sort'])]), query);
    },
    getVm: ({ params }) => vmOf(state, Number(params['vmId'])),
    listSnapshots: ({ params }) => state.snapshots.get(Number(params['vmId'])) ?? [],
    listUndoSets: ({ params }) => (Number(params['vmId']) === 1 ? [undoSet(state)] : []),
  };
}

/** Of selectors only as much as a test needs: the server has the real ones. */
function searched(search: string): (vm: Answer<'getVm'>) => boolean {
  const [, key, value = ''] = /^(\w+)=(.+)$/.exec(search) ?? [];
  if (key === 'label') return ({ labels }) => labels.includes(value);
  if (key === 'owner') return ({ owner }) => owner === value;
  if (search.includes('='))
    throw new Refusal(400, 'POLICY_SELECTOR_INVALID', `the selector '${search}' is not valid`, { hint: "terms joined by and, such as 'label=prod'" });
  return ({ name }) => name.includes(search);
}

function vmOf(state: FakeState, id: number): Answer<'getVm'> {
  const vm = state.vms[id];
  if (vm === undefined) throw new Refusal(404, 'SERVER_VM_NOT_FOUND', `there is no VM ${id} that you may see`, { hint: 'look at the list of VMs' });
  return vm;
}

function undoSet(state: FakeState): Answer<'listUndoSets'>[number] {
  const at = (days: number): string => new Date(state.now() + days * 86_400_000).toISOString();
  return {
    set: 'u-1',
    vmId: 1,
    since: at(-1),
    until: at(6),
    complete: true,
    images: [{ imageId: 77, name: 'web-0001-old-vda', sizeBytes: 20 * 1024 ** 3, target: 'vda' }],
  };
}

function pointHandlers(state: FakeState): FakeHandlers {
  const change = (id: string, part: Partial<Answer<'getPoint'>>): undefined => {
    state.changedPoints.set(id, { ...state.changedPoints.get(id), ...part });
  };
  return {
    listPointsOfVm: ({ params, query }) => pageOf(state.pointsOf(Number(params['vmId'])), query),
    getPoint: ({ params }) => pointOf(state, String(params['pointId'])),
    holdPoint: ({ params, body }) => change(String(params['pointId']), { held: body }),
    releasePoint: ({ params }) => change(String(params['pointId']), { held: undefined }),
    tagPoint: ({ params, body }) => change(String(params['pointId']), { tags: body.tags }),
    listFiles: ({ query }) => fakeListing(query['filesystem'], String(query['path'] ?? '')),
    readFile: () => 'root:x:0:0:root:/root:/bin/bash\n',
  };
}

function runHandlers(state: FakeState): FakeHandlers {
  const runOf = (id: string): Answer<'getRun'> => {
    const run = state.runs.get(id);
    if (run === undefined) throw new Refusal(404, 'SERVER_RUN_NOT_FOUND', `there is no run ${id}`);
    return run;
  };
  return {
    listRuns: ({ query }) => {
      const fits = (run: Answer<'getRun'>): boolean =>
        (query['state'] === undefined || run.state === query['state']) &&
        (query['kind'] === undefined || run.request.kind === query['kind']) &&
        (query['vmId'] === undefined || ('vmId' in run.request && run.request.vmId === query['vmId'])) &&
        (query['policy'] === undefined || ('policy' in run.request && run.request.policy === query['policy']));
      return pageOf(
        state.runs
          .list()
          .filter(fits)
          .map(({ steps: _, report: __, ...run }) => run),
        query,
      );
    },
    startRun: ({ body, user }) => {
      const vmId = 'vmId' in body ? body.vmId : 'pointId' in body ? pointOf(state, body.pointId).vmId : undefined;
      return { id: state.runs.start(body as Answer<'getRun'>['request'], user, vmId === undefined ? undefined : vmOf(state, vmId).name) };
    },
    getRun: ({ params }) => runOf(String(params['runId'])),
    cancelRun: ({ params }) => {
      state.runs.cancel(String(params['runId']));
      return { id: String(params['runId']) };
    },
    runLog: ({ params }) =>
      state.runs
        .eventsOf(String(params['runId']))
        .map((event) => `${JSON.stringify(event)}\n`)
        .join(''),
  };
}
