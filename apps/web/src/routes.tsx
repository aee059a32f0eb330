import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router';
import { AppFrame } from './shell/app-frame.tsx';
import { NotFound, RouteProblem } from './shell/route-problem.tsx';
import { Waiting } from './show/page.tsx';

const root = createRootRoute({ component: AppFrame, notFoundComponent: NotFound, errorComponent: RouteProblem });

/** Text of the query string that a page understands; everything else is dropped. */
function texts<const Name extends string>(...names: readonly Name[]): (search: Record<string, unknown>) => { [Key in Name]?: string } {
  return (search) => {
    const known = names.flatMap((name) => {
      const value = search[name];
      return typeof value === 'string' ? [[name, value]] : [];
    });
    return Object.fromEntries(known) as { [Key in Name]?: string };
  };
}

// Each page is a file of its own that comes when it is gone to.
const home = createRoute({ getParentRoute: () => root, path: '/', component: lazyRouteComponent(() => import('./home/home-page.tsx'), 'HomePage') });
const setup = createRoute({ getParentRoute: () => root, path: '/setup', component: lazyRouteComponent(() => import('./setup/setup-page.tsx'), 'SetupPage') });
const vms = createRoute({
  getParentRoute: () => root,
  path: '/vms',
  validateSearch: texts('search', 'protection', 'sort'),
  component: lazyRouteComponent(() => import('./vms/vms-page.tsx'), 'VmsPage'),
});
const vm = createRoute({ getParentRoute: () => root, path: '/vms/$vmId', component: lazyRouteComponent(() => import('./vms/vm-page.tsx'), 'VmPage') });
const snapshots = createRoute({
  getParentRoute: () => root,
  path: '/snapshots',
  component: lazyRouteComponent(() => import('./vms/snapshots-page.tsx'), 'SnapshotsPage'),
});
const runs = createRoute({
  getParentRoute: () => root,
  path: '/runs',
  validateSearch: texts('state', 'kind', 'vmId', 'policy'),
  component: lazyRouteComponent(() => import('./runs/runs-page.tsx'), 'RunsPage'),
});
const run = createRoute({ getParentRoute: () => root, path: '/runs/$runId', component: lazyRouteComponent(() => import('./runs/run-page.tsx'), 'RunPage') });
const point = createRoute({
  getParentRoute: () => root,
  path: '/points/$repository/$pointId',
  component: lazyRouteComponent(() => import('./points/point-page.tsx'), 'PointPage'),
});
const files = createRoute({
  getParentRoute: () => root,
  path: '/points/$repository/$pointId/files',
  validateSearch: texts('filesystem', 'path'),
  component: lazyRouteComponent(() => import('./points/files-page.tsx'), 'FilesPage'),
});
const restore = createRoute({
  getParentRoute: () => root,
  path: '/restore',
  validateSearch: texts('vmId', 'repository', 'pointId', 'how'),
  component: lazyRouteComponent(() => import('./restore/restore-page.tsx'), 'RestorePage'),
});
const policies = createRoute({
  getParentRoute: () => root,
  path: '/policies',
  component: lazyRouteComponent(() => import('./policies/policies-page.tsx'), 'PoliciesPage'),
});
const newPolicy = createRoute({
  getParentRoute: () => root,
  path: '/policies/new',
  validateSearch: texts('kind'),
  component: lazyRouteComponent(() => import('./policies/policy-page.tsx'), 'NewPolicyPage'),
});
const policy = createRoute({
  getParentRoute: () => root,
  path: '/policies/$name',
  component: lazyRouteComponent(() => import('./policies/policy-page.tsx'), 'PolicyPage'),
});
const repositories = createRoute({
  getParentRoute: () => root,
  path: '/repositories',
  component: lazyRouteComponent(() => import('./repositories/repositories-page.tsx'), 'RepositoriesPage'),
});
const infrastructure = createRoute({
  getParentRoute: () => root,
  path: '/infrastructure',
  component: lazyRouteComponent(() => import('./infrastructure/infrastructure-page.tsx'), 'InfrastructurePage'),
});
const users = createRoute({ getParentRoute: () => root, path: '/users', component: lazyRouteComponent(() => import('./access/users-page.tsx'), 'UsersPage') });
const tokens = createRoute({
  getParentRoute: () => root,
  path: '/tokens',
  component: lazyRouteComponent(() => import('./access/tokens-page.tsx'), 'TokensPage'),
});
const audit = createRoute({
  getParentRoute: () => root,
  path: '/audit',
  validateSearch: texts('actor', 'action'),
  component: lazyRouteComponent(() => import('./access/audit-page.tsx'), 'AuditPage'),
});
const settings = createRoute({
  getParentRoute: () => root,
  path: '/settings',
  component: lazyRouteComponent(() => import('./settings/settings-page.tsx'), 'SettingsPage'),
});
const reports = createRoute({
  getParentRoute: () => root,
  path: '/reports',
  component: lazyRouteComponent(() => import('./settings/reports-page.tsx'), 'ReportsPage'),
});

const tree = root.addChildren([
  home,
  setup,
  vms,
  vm,
  snapshots,
  runs,
  run,
  point,
  files,
  restore,
  policies,
  newPolicy,
  policy,
  repositories,
  infrastructure,
  users,
  tokens,
  audit,
  settings,
  reports,
]);

export function makeRouter() {
  return createRouter({
    routeTree: tree,
    defaultPreload: 'intent',
    defaultPendingComponent: () => <Waiting rows={5} />,
    scrollRestoration: true,
    // Plain texts in the address: `?vmId=7`, which a person may write.
    parseSearch: (text) => Object.fromEntries(new URLSearchParams(text)),
    stringifySearch: (search) => {
      const text = new URLSearchParams(Object.entries(search).flatMap(([name, value]) => (value === undefined || value === '' ? [] : [[name, String(value)]])));
      return text.size === 0 ? '' : `?${text.toString()}`;
    },
  });
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
