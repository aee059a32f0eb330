import {
  IconArchive,
  IconCalendarTime,
  IconCamera,
  IconDatabase,
  IconHistory,
  IconHome2,
  IconKey,
  IconPlayerPlay,
  IconReportAnalytics,
  IconServer2,
  IconSettings,
  IconStethoscope,
  IconUsers,
  type TablerIcon,
} from '@tabler/icons-react';
import type { Session } from '../api/answers.ts';

export interface Destination {
  readonly to: string;
  readonly title: string;
  readonly icon: TablerIcon;
  /** Pressed after `g`. */
  readonly key: string;
  readonly role: Session['role'];
}

export const NAVIGATION: readonly { readonly title: string; readonly destinations: readonly Destination[] }[] = [
  {
    title: 'Protection',
    destinations: [
      { to: '/', title: 'Home', icon: IconHome2, key: 'h', role: 'viewer' },
      { to: '/vms', title: 'VMs', icon: IconServer2, key: 'v', role: 'viewer' },
      { to: '/runs', title: 'Runs', icon: IconPlayerPlay, key: 'r', role: 'viewer' },
      { to: '/policies', title: 'Policies', icon: IconCalendarTime, key: 'p', role: 'viewer' },
      { to: '/snapshots', title: 'Snapshots', icon: IconCamera, key: 's', role: 'viewer' },
      { to: '/restore', title: 'Restore', icon: IconArchive, key: 'e', role: 'operator' },
    ],
  },
  {
    title: 'Storage and proxies',
    destinations: [
      { to: '/repositories', title: 'Repositories', icon: IconDatabase, key: 'o', role: 'viewer' },
      { to: '/infrastructure', title: 'Proxies and doctor', icon: IconStethoscope, key: 'i', role: 'viewer' },
    ],
  },
  {
    title: 'Administration',
    destinations: [
      { to: '/reports', title: 'Reports', icon: IconReportAnalytics, key: 'q', role: 'viewer' },
      { to: '/tokens', title: 'API tokens', icon: IconKey, key: 't', role: 'viewer' },
      { to: '/users', title: 'Users', icon: IconUsers, key: 'u', role: 'admin' },
      { to: '/audit', title: 'Audit', icon: IconHistory, key: 'a', role: 'admin' },
      { to: '/settings', title: 'Settings', icon: IconSettings, key: 'c', role: 'admin' },
    ],
  },
];

const RANK = { viewer: 0, operator: 1, admin: 2 } as const;

export function destinationsFor(role: Session['role']): typeof NAVIGATION {
  return NAVIGATION.map(({ title, destinations }) => ({ title, destinations: destinations.filter((each) => RANK[role] >= RANK[each.role]) }));
}
