import type { Answer } from '@onevault/api';

type Vm = Answer<'getVm'>;
type Point = Answer<'getPoint'>;

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
export const GIB = 1024 ** 3;

/** Numbers that look like chance and are the same each time. */
function chance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const ROLES = ['web', 'db', 'app', 'cache', 'mail', 'git', 'ci', 'ldap', 'files', 'proxy'];
/** As long as OpenNebula lets a name be, without a place to break it. */
const LONG = '.customer-portal.production.eu-central.replicated_database_of_the_billing_department.example'.padEnd(119, 'x');
const OWNERS = ['oneadmin', 'olga', 'vera', 'shop', 'research'];

/** A VM as the server would tell of it: most are well, some are not, as in any cloud. */
export function fakeVm(id: number, nowMs: number): Vm {
  const random = chance(id * 7919 + 13);
  const role = ROLES[id % ROLES.length] ?? 'vm';
  const owner = OWNERS[Math.floor(random() * OWNERS.length)] ?? 'oneadmin';
  const luck = random();
  const gone = id % 211 === 210;
  const points = luck > 0.9 ? 0 : 6 + Math.floor(random() * 30);
  const newestMs = nowMs - Math.floor((luck > 0.8 ? 40 : 9) * random() * HOUR) - 10 * MINUTE;
  return {
    id,
    name: `${role}-${String(id).padStart(4, '0')}${id === 22 ? LONG : ''}`,
    owner,
    group: owner === 'oneadmin' ? 'oneadmin' : 'users',
    state: gone ? 'DONE' : luck > 0.95 ? 'POWEROFF' : 'RUNNING',
    ...(luck <= 0.95 && !gone && { host: `kvm-${1 + (id % 12)}` }),
    labels: [...(random() > 0.5 ? ['prod'] : ['test']), ...(random() > 0.8 ? ['gold'] : [])],
    exists: !gone,
    diskCount: 2,
    protection: protectionFor(luck, newestMs),
    ...(points > 0 && { newestPoint: { id: pointId(id, 0, newestMs), repository: 'main', capturedAt: new Date(newestMs).toISOString() } }),
    points,
    disks: disksFor(id, random),
    verdict: luck > 0.97 ? 'degraded' : 'ok',
    reasons: luck > 0.97 ? [{ code: 'GUEST_PAUSES', text: 'the guest stands still for the whole copy of disk 1' }] : [],
  };
}

function protectionFor(luck: number, newestMs: number): Vm['protection'] {
  if (luck > 0.97) return { state: 'excluded', reason: 'a cache: is built anew' };
  if (luck > 0.93) return { state: 'unprotected', policies: [], reason: 'no-policy' };
  if (luck > 0.9) return { state: 'unprotected', policies: ['nightly'], policy: 'nightly', reason: 'no-restore-point' };
  if (luck > 0.8) return { state: 'out-of-rpo', policies: ['nightly'], policy: 'nightly', lateMs: Math.round((luck - 0.8) * 200 * HOUR) };
  return { state: 'protected', policies: ['nightly'], until: new Date(newestMs + 26 * HOUR).toISOString() };
}

function disksFor(id: number, random: () => number): Vm['disks'] {
  const root = {
    diskId: 0,
    target: 'vda',
    sizeBytes: 20 * GIB,
    image: `debian-12-${id}`,
    imageId: 100 + id,
    datastore: 'default',
    persistent: true,
    driver: 'qcow2',
    snapshots: [],
  };
  const data = {
    ...root,
    diskId: 1,
    target: 'vdb',
    sizeBytes: Math.round(random() * 400 + 20) * GIB,
    image: `data-${id}`,
    imageId: 9000 + id,
    datastore: 'ceph',
  };
  return [
    { ...root, capture: { verdict: 'ok', method: 'snapshot', reasons: [] } },
    {
      ...data,
      capture: {
        verdict: 'degraded',
        method: 'live-copy',
        reasons: [{ code: 'SNAPSHOT_STAYS', text: 'a snapshot on this driver could not be taken away again' }],
      },
    },
    {
      diskId: 2,
      target: 'vdc',
      sizeBytes: 4 * GIB,
      persistent: false,
      snapshots: [],
      capture: { verdict: 'skipped', reasons: [{ code: 'DISK_VOLATILE', text: 'volatile: OpenNebula has no image of it' }] },
    },
  ];
}

function pointId(vmId: number, index: number, atMs: number): string {
  return `${new Date(atMs).toISOString().replace(/[-:]/g, '').slice(0, 15).toLowerCase()}-${(vmId * 1000 + index).toString(36).padStart(6, '0')}`;
}

/** Restore points of a VM, newest first: daily ones, then fewer and fewer, as a retention leaves them. */
export function fakePoints(vm: Vm, nowMs: number): Point[] {
  if (vm.newestPoint === undefined) return [];
  const newestMs = new Date(vm.newestPoint.capturedAt).getTime();
  const random = chance(vm.id + 1);
  return Array.from({ length: vm.points }, (_, index): Point => {
    const age = index < 10 ? index : index < 16 ? 10 + (index - 10) * 7 : 52 + (index - 16) * 30;
    const atMs = newestMs - age * DAY;
    const keptBy = rulesFor(index, age);
    return {
      id: pointId(vm.id, index, atMs),
      repository: 'main',
      vmId: vm.id,
      vmName: vm.name,
      capturedAt: new Date(atMs).toISOString(),
      committedAt: new Date(atMs + 4 * MINUTE).toISOString(),
      mode: index % 7 === 6 ? 'full' : 'incremental',
      consistency: index % 3 === 0 ? 'crash-consistent' : 'guest-frozen',
      sizeBytes: vm.disks.slice(0, 2).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      storedBytes: Math.round(random() * 3 * GIB),
      disks: vm.disks.slice(0, 2).map(({ diskId, target, sizeBytes }) => ({ key: `disk-${diskId}`, diskId, target, sizeBytes })),
      tags: index === 3 ? ['before-update'] : [],
      ...(index === 4 && { held: { reason: 'ticket-42' } }),
      damaged: index === 12,
      keptBy: index === 4 ? [...keptBy, 'hold:ticket-42'] : keptBy,
      ...(index !== 4 && { goesOn: new Date(Math.max(atMs + 40 * DAY, nowMs + DAY)).toISOString() }),
      policy: 'nightly',
    } as Point;
  });
}

function rulesFor(index: number, age: number): string[] {
  if (index === 8) return [];
  return [
    ...(index < 3 ? [`last#${index + 1}`] : []),
    ...(age < 10 ? [`daily#${index + 1}`] : []),
    ...(age % 7 === 0 && age < 60 ? [`weekly#${1 + age / 7}`] : []),
    ...(age >= 52 ? [`monthly#${index - 14}`] : []),
    ...(age > 350 ? ['yearly#1'] : []),
  ];
}
