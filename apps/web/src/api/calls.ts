import type { Answer, CallInput, OperationId, OperationOf } from '@onevault/api';
import { type Asked, address, send } from './http.ts';

type RouteOf<Id extends OperationId> = `${OperationOf<Id>['method']} ${OperationOf<Id>['path']}`;

/** Method and path of what the UI calls: the table of @onevault/api as literals, so that its schemas need not come to the browser. The compiler compares. */
const ROUTES = {
  signInOptions: 'get /session/options',
  signIn: 'post /session',
  whoAmI: 'get /session',
  signOut: 'delete /session',
  overview: 'get /overview',
  listUsers: 'get /users',
  setRole: 'put /users/{user}/role',
  listTokens: 'get /tokens',
  createToken: 'post /tokens',
  deleteToken: 'delete /tokens/{tokenId}',
  readAudit: 'get /audit',
  verifyAudit: 'get /audit/verification',
  listVms: 'get /vms',
  getVm: 'get /vms/{vmId}',
  listSnapshots: 'get /vms/{vmId}/snapshots',
  listUndoSets: 'get /vms/{vmId}/undo-sets',
  listPointsOfVm: 'get /vms/{vmId}/points',
  getPoint: 'get /repositories/{repository}/points/{pointId}',
  holdPoint: 'put /repositories/{repository}/points/{pointId}/hold',
  releasePoint: 'delete /repositories/{repository}/points/{pointId}/hold',
  tagPoint: 'put /repositories/{repository}/points/{pointId}/tags',
  listFiles: 'get /repositories/{repository}/points/{pointId}/files',
  readFile: 'get /repositories/{repository}/points/{pointId}/files/content',
  restoreChoices: 'get /repositories/{repository}/points/{pointId}/restore-choices',
  previewRestore: 'post /restore-previews',
  listRuns: 'get /runs',
  startRun: 'post /runs',
  getRun: 'get /runs/{runId}',
  cancelRun: 'post /runs/{runId}/cancel',
  watchRun: 'get /runs/{runId}/events',
  runLog: 'get /runs/{runId}/log',
  watch: 'get /events',
  listPolicies: 'get /policies',
  putPolicy: 'put /policies/{name}',
  deletePolicy: 'delete /policies/{name}',
  previewPolicy: 'post /policy-previews',
  retentionCalendar: 'get /policies/{name}/calendar',
  listRepositories: 'get /repositories',
  putRepository: 'put /repositories/{name}',
  deleteRepository: 'delete /repositories/{name}',
  checkRepository: 'post /repository-checks',
  listProxies: 'get /proxies',
  listDatastores: 'get /datastores',
  doctor: 'get /doctor',
  listOrphans: 'get /orphans',
  exportSettings: 'get /settings',
  applySettings: 'post /settings',
  testNotification: 'post /notification-tests',
  protectionReport: 'get /reports/protection',
  sizesReport: 'get /reports/sizes',
  drillsReport: 'get /reports/drills',
  listDrills: 'get /repositories/{repository}/drills',
} as const satisfies { readonly [Id in OperationId]?: RouteOf<Id> };
type Used = keyof typeof ROUTES;

export type CallOptions = Pick<Asked, 'signal' | 'idempotencyKey'>;

/** Calls one operation. Rejects with ApiError, whose problem says what was wrong and what to do. */
export async function call<Id extends Used>(id: Id, input: CallInput<Id>, options: CallOptions = {}): Promise<Answer<Id>> {
  const [method = '', path = ''] = ROUTES[id].split(' ');
  return send(method, path, { ...(input as Asked), ...options });
}

/** Where a GET is found, for links and streams. */
export function linkTo<Id extends Used>(id: Id, input: CallInput<Id>): string {
  const [, path = ''] = ROUTES[id].split(' ');
  return address(path, input as Asked);
}
