import type { Answer } from '@onevault/api';
import type { FakeHandlers } from './fake-call.ts';
import { GIB } from './fake-cloud.ts';
import type { FakeState } from './fake-state.ts';
import { Refusal } from './refusal.ts';

const HOUR = 3_600_000;

export function infrastructureHandlers(state: FakeState): FakeHandlers {
  const ago = (ms: number): string => new Date(state.now() - ms).toISOString();
  return {
    overview: () => overviewOf(state),
    listRepositories: () => [...state.repositories.values()],
    putRepository: ({ params, body }) => {
      if (!/^(\/|s3:)/.test(body.place))
        throw new Refusal(422, 'SERVER_REPOSITORY_PLACE', `${body.place} is no place for a repository`, { hint: 'a directory, or s3://bucket/prefix' });
      const name = String(params['name']);
      const repository = {
        name,
        place: body.place,
        encrypted: body.secretFile !== undefined,
        reachable: true,
        points: 0,
        storedBytes: 0,
        freeBytes: 900 * GIB,
      };
      state.repositories.set(name, repository);
      return repository;
    },
    checkRepository: ({ body }) => checkOf(body.place),
    deleteRepository: ({ params }) => void state.repositories.delete(String(params['name'])),
    listProxies: () => [
      { vmId: 0, name: 'proxy', worker: 'proxy-1', state: 'busy', lastSeenAt: ago(4000), running: 2, slots: 4, datastores: reach(true) },
      { name: 'proxy-far', worker: 'proxy-2', state: 'lost', lastSeenAt: ago(3 * HOUR), running: 0, slots: 4, datastores: reach(false) },
    ],
    listDatastores: () => [
      {
        id: 1,
        name: 'default',
        driver: 'qcow2',
        enabled: true,
        availableBytes: 900 * GIB,
        totalBytes: 4000 * GIB,
        capture: [{ format: 'qcow2', persistent: true, states: cells('snapshot') }],
      },
      {
        id: 102,
        name: 'ceph',
        driver: 'ceph',
        enabled: true,
        availableBytes: 20_000 * GIB,
        totalBytes: 64_000 * GIB,
        capture: [{ format: 'raw', persistent: true, states: cells('live-copy') }],
      },
    ],
    doctor: () => [
      { area: 'OpenNebula', severity: 'ok', code: 'ONE_VERSION', what: 'OpenNebula 7.0.2', why: 'is known to work' },
      {
        area: 'proxy',
        severity: 'warning',
        code: 'LVM_FILTER_MISSING',
        what: 'LVM looks at guests’ disks',
        why: 'a volume group of a guest would be seen by the proxy',
        remedy: 'onevault doctor --fix, in the proxy VM',
      },
      {
        area: 'repository',
        severity: 'error',
        code: 'REPO_STORE_UNREACHABLE',
        what: 'offsite does not answer',
        why: 'connect timed out after 10 s',
        remedy: 'look at the network, or at s3.example',
      },
      { area: 'clock', severity: 'unknown', code: 'CLOCK_UNKNOWN', what: 'the clock', why: 'no time server is set', remedy: 'install chrony' },
    ],
    listOrphans: () => [{ kind: 'image', id: 812, name: 'onevault-p-failed-0', runId: 'p-failed', where: 'default', sizeBytes: 20 * GIB, since: ago(HOUR) }],
    exportSettings: () => 'kind: settings\ncaps:\n  total: 8\n---\nkind: backup\nname: nightly\n',
    applySettings: ({ body }) => ({
      changes: [
        { kind: 'policy', name: 'nightly', action: 'keep', diff: '' },
        ...(body.yaml.includes('total: 8') ? [] : [{ kind: 'caps', name: 'caps', action: 'change', diff: ' caps:\n-  total: 8\n+  total: 4\n' } as const]),
      ],
      applied: body.dryRun !== true,
    }),
    testNotification: ({ body }) => {
      if (body.channel !== 'ops') throw new Refusal(404, 'SERVER_CHANNEL_NOT_FOUND', `there is no channel ${body.channel}`);
    },
    protectionReport: () => 'vm,protection\n',
    sizesReport: () => 'owner,bytes\n',
    drillsReport: () => 'vm,outcome\n',
    listDrills: ({ params }) => (params['repository'] === 'main' ? drillsOf(state) : []),
  };
}

function reach(reachable: boolean): Answer<'listProxies'>[number]['datastores'] {
  const away = [{ code: 'DATASTORE_OTHER_CLUSTER', text: 'it is in a cluster that the proxy VM is not in' }];
  return [
    { id: 1, name: 'default', reachable: true, reasons: [] },
    { id: 102, name: 'ceph', reachable, reasons: reachable ? [] : away },
  ];
}

function cells(method: 'snapshot' | 'live-copy'): Answer<'listDatastores'>[number]['capture'][number]['states'] {
  return {
    RUNNING: { method, consistency: 'guest-frozen', pause: method === 'snapshot' ? 'moment' : 'whole-copy', degraded: method !== 'snapshot', codes: [] },
    POWEROFF: { method: 'offline', consistency: 'still', pause: 'none', degraded: false, codes: [] },
    PENDING: { method: 'refuse', pause: 'none', degraded: false, codes: ['VM_STATE'], remedy: 'wait until it runs' },
  };
}

function overviewOf(state: FakeState): Answer<'overview'> {
  const count = (wanted: string): number => state.vms.filter(({ protection }) => protection.state === wanted).length;
  const late = state.vms.flatMap(({ id, name, protection }) =>
    protection.state === 'out-of-rpo' ? [{ vmId: id, name, policy: protection.policy, lateMs: protection.lateMs }] : [],
  );
  const runs = state.runs.list();
  return {
    protection: { protected: count('protected'), outOfRpo: count('out-of-rpo'), unprotected: count('unprotected'), excluded: count('excluded') },
    outOfRpo: late.sort((a, b) => b.lateMs - a.lateMs).slice(0, 20),
    running: runs.filter((run) => run.state === 'running').map(({ id }) => id),
    queued: runs.filter((run) => run.state === 'queued').length,
    failures: runs.flatMap(({ id, state: ended, failure, vmName = 'run', endedAt = '', request }) =>
      ended === 'failed' && failure !== undefined
        ? [
            {
              runId: id,
              name: vmName,
              at: endedAt,
              code: failure.code ?? '',
              message: failure.message,
              ...(failure.hint !== undefined && { hint: failure.hint }),
              ...('vmId' in request && { vmId: request.vmId }),
            },
          ]
        : [],
    ),
    repositories: [...state.repositories.values()],
    orphans: state.repositories.size === 0 ? 0 : 1,
    seenAt: new Date().toISOString(),
  };
}

/** `/mnt/backup` is a share that has a repository, `/mnt/new` an empty one, `/srv` is somebody else's; nothing else is there. */
function checkOf(place: string): Answer<'checkRepository'> {
  if (place.startsWith('s3:'))
    return {
      verdict: 'unusable',
      reasons: [{ code: 'REPO_CREDENTIALS_INVALID', text: 'the bucket refuses the key', remedy: 'correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY' }],
    };
  if (place.startsWith('/srv'))
    return { verdict: 'occupied', freeBytes: 3 * GIB, reasons: [{ code: 'REPO_NOT_EMPTY', text: 'there is no repository, but something else: www' }] };
  if (place === '/mnt/backup') return { verdict: 'repository', encrypted: true, freeBytes: 900 * GIB, reasons: [] };
  const remedy = 'mount the storage for backups there first';
  const reasons = [{ code: 'PLACE_ON_SYSTEM_DISK', text: 'it is on the same file system as the operating system of the server', remedy }];
  return place === '/mnt/new' ? { verdict: 'empty', freeBytes: 900 * GIB, reasons: [] } : { verdict: 'absent', freeBytes: 12 * GIB, reasons };
}

/** One that went well, and one of a guest that did not wake up. */
function drillsOf(state: FakeState): Answer<'listDrills'> {
  const at = (hours: number): string => new Date(state.now() - hours * HOUR).toISOString();
  const of = (vmId: number, hours: number) => ({
    id: `drill-${vmId}`,
    repository: 'main',
    pointId: state.pointsOf(vmId)[0]?.id ?? 'none',
    vmId,
    vmName: state.vms[vmId]?.name ?? '',
    startedAt: at(hours + 0.1),
    finishedAt: at(hours),
  });
  const failure = { code: 'DRILL_NO_SIGN_OF_LIFE', text: 'the guest has shown no sign of life within 10 minutes' };
  return [
    { ...of(1, 20), outcome: 'passed', rtoMs: 74_000 },
    { ...of(2, 44), outcome: 'failed', failure },
  ];
}
