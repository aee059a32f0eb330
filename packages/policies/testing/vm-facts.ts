import type { VmFacts } from '../src/index.ts';

/** A running VM with a label, as a selector sees it. */
export function vmFacts(overrides: Partial<VmFacts> = {}): VmFacts {
  return {
    id: 17,
    name: 'web-01',
    owner: 'alice',
    group: 'dev',
    labels: ['prod', 'Front End'],
    state: 'RUNNING',
    host: 'kvm-3',
    cluster: 'default',
    datastores: ['ceph', 'local'],
    attributes: { BACKUP: 'gold', EMPTY: '' },
    ...overrides,
  };
}
