import { cellOf, chooseCapture, type DatastoreTraits, factsOf } from '../src/index.ts';
import type { CaptureFacts, SnapshotFacts } from '../src/plan/capture-facts.ts';

/** The versions that are told apart, as docs/opennebula.md names them. */
const VERSIONS = [
  ['6.10.5', '6.10'],
  ['7.0.2', '7.0'],
  ['7.4.0', '7.4'],
] as const;

interface Kind {
  readonly driver: string;
  readonly disk: string;
  readonly traits: Omit<DatastoreTraits, 'version'>;
  readonly persistent?: boolean;
  readonly snapshots?: Partial<SnapshotFacts>;
}

const qcow2 = { driver: 'qcow2', formats: ['qcow2'], allowOrphans: 'FORMAT' };
const local = { driver: 'local', formats: ['qcow2'], allowOrphans: 'FORMAT' };
const ceph = { driver: 'ceph', formats: ['raw'], allowOrphans: 'MIXED' };
const thin = { driver: 'fs_lvm_ssh', formats: ['raw'], allowOrphans: 'YES', thin: true };
const HAS_ONE = { listed: true, count: 1, next: 1 };

/** The kinds of disks that are captured differently on at least one version; stock ALLOW_ORPHANS where nothing is said of it. */
const KINDS: readonly Kind[] = [
  { driver: 'qcow2, shared', disk: 'qcow2', traits: qcow2 },
  { driver: 'qcow2, shared', disk: 'qcow2, persistent, never had a snapshot', traits: qcow2, persistent: true },
  { driver: 'qcow2, shared', disk: 'qcow2, persistent, had one', traits: qcow2, persistent: true, snapshots: { listed: true, next: 1 } },
  { driver: 'qcow2, shared', disk: 'qcow2, snapshots branch', traits: qcow2, snapshots: { ...HAS_ONE, branches: true } },
  { driver: 'qcow2, shared', disk: 'qcow2, another disk has a snapshot of that id', traits: qcow2, snapshots: { idIsShared: true } },
  { driver: 'qcow2, shared', disk: 'qcow2, a snapshot failed before', traits: qcow2, snapshots: { listed: true, next: 1, failedBefore: true } },
  { driver: 'qcow2, shared', disk: 'raw', traits: { ...qcow2, formats: ['raw'] } },
  { driver: 'qcow2, shared on system `ssh`', disk: 'qcow2', traits: { ...qcow2, systemDriver: 'ssh' } },
  { driver: 'local', disk: 'qcow2', traits: local },
  { driver: 'local', disk: 'qcow2, persistent', traits: local, persistent: true },
  { driver: 'local', disk: 'qcow2, has snapshots', traits: local, snapshots: HAS_ONE },
  { driver: 'local', disk: 'raw', traits: { ...local, formats: ['raw'] } },
  { driver: 'ssh', disk: 'qcow2 or raw', traits: { driver: 'ssh', formats: ['qcow2'], allowOrphans: 'YES' } },
  { driver: 'ceph', disk: 'raw', traits: ceph },
  { driver: 'ceph', disk: 'raw, persistent, no ALLOW_ORPHANS', traits: { driver: 'ceph', formats: ['raw'] }, persistent: true },
  { driver: 'ceph on system `ssh`', disk: 'raw', traits: { ...ceph, systemDriver: 'ssh' } },
  { driver: 'lvm', disk: 'raw', traits: { driver: 'lvm', formats: ['raw'], allowOrphans: 'YES' } },
  { driver: 'fs_lvm_ssh, thin', disk: 'raw, VM with guest agent', traits: { ...thin, guestAgent: true } },
  { driver: 'fs_lvm_ssh, thin', disk: 'raw, VM without', traits: thin },
  { driver: 'fs_lvm, fs_lvm_ssh', disk: 'raw', traits: { driver: 'fs_lvm', formats: ['raw'] } },
  { driver: 'dev, iscsi_libvirt', disk: 'raw', traits: { driver: 'dev', formats: ['raw'] } },
  { driver: 'netapp, purefa, any other', disk: 'raw', traits: { driver: 'netapp', formats: ['raw'], allowOrphans: 'LINEAR' } },
];

const HEAD = [
  'storage driver',
  'disk',
  'OpenNebula',
  'RUNNING',
  'with `--capture snapshot`',
  'with `--capture live-copy`',
  'beside native incremental',
  'not RUNNING',
];

/** The table of docs/opennebula.md, lines of Markdown, made by the planner itself. */
export function captureTable(): string[] {
  const rows = KINDS.flatMap(rowsOf);
  return [HEAD, HEAD.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`);
}

/** One row for each run of versions that are alike. */
function rowsOf(kind: Kind): string[][] {
  const rows: { readonly labels: string[]; readonly cells: readonly string[] }[] = [];
  for (const [version, label] of VERSIONS) {
    const cells = cellsOf(kind, version);
    const last = rows.at(-1);
    if (last !== undefined && last.cells.join('|') === cells.join('|')) last.labels.push(label);
    else rows.push({ labels: [label], cells });
  }
  return rows.map(({ labels, cells }) => [kind.driver, kind.disk, labels.length === VERSIONS.length ? 'all' : labels.join(', '), ...cells]);
}

function cellsOf(kind: Kind, version: string): string[] {
  const facts = factsOf({ ...kind.traits, version }, { format: kind.traits.formats[0] ?? 'raw', persistent: kind.persistent === true, state: 'RUNNING' });
  const running = { ...facts, snapshots: { ...facts.snapshots, ...kind.snapshots } };
  return [
    wording(running, 'auto'),
    wording(running, 'snapshot'),
    wording(running, 'live-copy'),
    wording({ ...running, nativeIncremental: true }, 'auto'),
    atRest(running),
  ];
}

function wording(facts: CaptureFacts, capture: 'auto' | 'snapshot' | 'live-copy'): string {
  const verdict = chooseCapture(facts, { capture, allowLongFreeze: false });
  const allowed = chooseCapture(facts, { capture, allowLongFreeze: true });
  const cell = cellOf(verdict);
  const long = cell.codes.includes('REFUSE_LONG_FREEZE') && cellOf(allowed).method !== 'refuse';
  if (long) return `${cellOf(allowed).method}, only with \`--allow-long-freeze\``;
  if (cell.method === 'refuse') return 'refused';
  const residue = 'residue' in verdict && verdict.residue.length > 0;
  const short = cell.pause === 'moment' ? ', short pause' : '';
  return `${cell.method}${short}${residue ? ', **stays**' : ''}${cell.degraded && !residue ? ', at risk' : ''}`;
}

function atRest(facts: CaptureFacts): string {
  const cell = (state: CaptureFacts['state']): string => cellOf(chooseCapture({ ...facts, state }, { capture: 'auto', allowLongFreeze: false })).method;
  const states = ['POWEROFF', 'SUSPENDED', 'STOPPED', 'UNDEPLOYED'] as const;
  const refused = states.filter((state) => cell(state) === 'refuse');
  if (refused.length === states.length) return 'refused';
  return refused.length === 0 ? cell('POWEROFF') : `${cell('POWEROFF')}; ${refused.join(' and ')} refused`;
}
