import type { Protection } from '@onevault/policies';
import type { Catalog } from '../ports/catalog.ts';
import type { InventoryVm } from '../ports/inventory.ts';
import type { ReportTable, TableReport } from './table-report.ts';

export interface ReportFacts {
  /** What the caller may see, those that are gone too. */
  readonly vms: readonly InventoryVm[];
  readonly catalog: Pick<Catalog, 'ofVm'>;
  readonly protectionOf: (vmId: number) => Protection;
}

const WORST_FIRST: readonly Protection['state'][] = ['unprotected', 'out-of-rpo', 'protected', 'excluded'];

/** How every VM stands, the worst first, with sums. VMs that are gone have nothing to protect. */
export function protectionReport({ vms, catalog, protectionOf }: ReportFacts): TableReport {
  const judged = vms.filter(({ exists }) => exists).map((vm) => ({ vm, protection: protectionOf(vm.facts.id) }));
  const count = (state: Protection['state']): number => judged.filter(({ protection }) => protection.state === state).length;
  const wanted = judged.length - count('excluded');
  const rows = judged
    .toSorted((a, b) => WORST_FIRST.indexOf(a.protection.state) - WORST_FIRST.indexOf(b.protection.state) || a.vm.facts.id - b.vm.facts.id)
    .map(({ vm: { facts }, protection }) => {
      const { count: points, storedBytes, newest } = catalog.ofVm(facts.id);
      return {
        id: facts.id,
        name: facts.name,
        owner: facts.owner,
        group: facts.group,
        protection: protection.state,
        why: whyOf(protection),
        policies: protection.state === 'excluded' ? '' : protection.policies.join(' '),
        newestPoint: newest?.capturedAt.toISOString(),
        lateMs: protection.state === 'out-of-rpo' ? protection.lateMs : undefined,
        points,
        storedBytes,
      };
    });
  return {
    title: 'Protection of VMs',
    notes: [
      `${count('protected')} of ${wanted} VMs are protected${wanted === 0 ? '' : ` (${((100 * count('protected')) / wanted).toFixed(1)} %)`}`,
      `${count('out-of-rpo')} are out of RPO, ${count('unprotected')} unprotected, ${count('excluded')} excluded`,
    ],
    tables: [{ title: 'VMs', columns: VM_COLUMNS, rows }],
  };
}

const VM_COLUMNS: ReportTable['columns'] = [
  { key: 'id', title: 'VM' },
  { key: 'name', title: 'Name' },
  { key: 'owner', title: 'Owner' },
  { key: 'group', title: 'Group' },
  { key: 'protection', title: 'Protection' },
  { key: 'why', title: 'Why' },
  { key: 'policies', title: 'Policies' },
  { key: 'newestPoint', title: 'Newest restore point' },
  { key: 'lateMs', title: 'Late by', unit: 'ms' },
  { key: 'points', title: 'Restore points' },
  { key: 'storedBytes', title: 'Stored', unit: 'bytes' },
];

function whyOf(protection: Protection): string {
  switch (protection.state) {
    case 'protected':
      return '';
    case 'out-of-rpo':
      return `older than ${protection.policy} allows`;
    case 'unprotected':
      return protection.reason === 'no-policy' ? 'no policy is for it' : `no good restore point for ${protection.policy ?? 'its policy'}`;
    case 'excluded':
      return protection.reason;
  }
}

/** What each owner's and each group's VMs have in the repositories, the most first; those that are gone count, for they take space. */
export function sizesReport({ vms, catalog }: ReportFacts): TableReport {
  const total = vms.reduce((sum, { facts }) => sum + catalog.ofVm(facts.id).storedBytes, 0);
  return {
    title: 'Sizes of restore points',
    notes: [`${total} bytes came new into the repositories with the restore points that are kept. What two VMs share is counted where it came first.`],
    tables: (['owner', 'group'] as const).map((by) => ({
      title: by === 'owner' ? 'By owner' : 'By group',
      columns: [
        { key: by, title: by === 'owner' ? 'Owner' : 'Group' },
        { key: 'vms', title: 'VMs' },
        { key: 'gone', title: 'Gone' },
        { key: 'points', title: 'Restore points' },
        { key: 'sizeBytes', title: 'Disks', unit: 'bytes' },
        { key: 'storedBytes', title: 'Stored', unit: 'bytes' },
      ],
      rows: sumsBy(by, vms, catalog),
    })),
  };
}

function sumsBy(by: 'owner' | 'group', vms: readonly InventoryVm[], catalog: Pick<Catalog, 'ofVm'>): ReportTable['rows'] {
  const sums = new Map<string, { vms: number; gone: number; points: number; sizeBytes: number; storedBytes: number }>();
  for (const { facts, exists } of vms) {
    const sum = sums.get(facts[by]) ?? { vms: 0, gone: 0, points: 0, sizeBytes: 0, storedBytes: 0 };
    const { count, newest, storedBytes } = catalog.ofVm(facts.id);
    sum.vms += 1;
    sum.gone += exists ? 0 : 1;
    sum.points += count;
    sum.sizeBytes += newest?.sizeBytes ?? 0;
    sum.storedBytes += storedBytes;
    sums.set(facts[by], sum);
  }
  return [...sums].map(([name, sum]) => ({ [by]: name, ...sum })).toSorted((a, b) => b.storedBytes - a.storedBytes);
}

export interface DrillFacts {
  readonly repository: string;
  readonly pointId: string;
  readonly vmId?: number | undefined;
  readonly vmName?: string | undefined;
  readonly startedAt: string;
  readonly outcome: string;
  readonly rtoMs?: number | undefined;
  readonly failure?: { readonly code: string; readonly text: string } | undefined;
}

/** Restores that were proven, and VMs whose restore points nobody ever tried. `problems`: repositories that could not be asked. */
export function drillsReport(facts: ReportFacts, drills: readonly DrillFacts[], problems: readonly string[]): TableReport {
  const proven = new Set(drills.filter(({ outcome }) => outcome === 'passed').map(({ vmId }) => vmId));
  const untried = facts.vms.filter(({ facts: { id } }) => facts.catalog.ofVm(id).count > 0 && !proven.has(id));
  const passed = drills.filter(({ outcome }) => outcome === 'passed').length;
  return {
    title: 'Drills',
    notes: [
      `${passed} of ${drills.length} drills passed; ${untried.length} VMs with restore points have never passed one`,
      ...problems.map((repository) => `Repository ${repository} could not be asked: its drills are missing here`),
    ],
    tables: [
      {
        title: 'Drills, newest first',
        columns: [
          { key: 'startedAt', title: 'When' },
          { key: 'vmId', title: 'VM' },
          { key: 'vmName', title: 'Name' },
          { key: 'repository', title: 'Repository' },
          { key: 'pointId', title: 'Restore point' },
          { key: 'outcome', title: 'Outcome' },
          { key: 'rtoMs', title: 'Time to life', unit: 'ms' },
          { key: 'failure', title: 'Failure' },
        ],
        rows: drills
          .toSorted((a, b) => b.startedAt.localeCompare(a.startedAt))
          .map(({ failure, ...drill }) => ({ ...drill, failure: failure === undefined ? undefined : `${failure.code}: ${failure.text}` })),
      },
      {
        title: 'Never passed one',
        columns: [
          { key: 'id', title: 'VM' },
          { key: 'name', title: 'Name' },
          { key: 'owner', title: 'Owner' },
          { key: 'points', title: 'Restore points' },
        ],
        rows: untried.map(({ facts: { id, name, owner } }) => ({ id, name, owner, points: facts.catalog.ofVm(id).count })),
      },
    ],
  };
}
