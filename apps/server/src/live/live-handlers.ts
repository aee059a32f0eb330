import type { OperationId, OperationOf, RunRequest } from '@onevault/api';
import { type CallOptions, Scope } from '@onevault/base';
import type { z } from 'zod';
import type { Call, HandlerTable } from '../ports/call.ts';
import type { VmDetails } from '../ports/vm-detail.ts';
import { Bounded } from './bounded.ts';
import { findings } from './doctor.ts';
import { FileSessions, type FileSessionsDeps } from './files/file-sessions.ts';
import { listFiles, placeOf } from './files/list-files.ts';
import { readFile } from './files/read-file.ts';
import { listDatastores, listOrphans, listProxies } from './infrastructure.ts';
import { drills, undoSets } from './kept-records.ts';
import { LiveAccess } from './live-access.ts';
import type { LiveDeps } from './live-deps.ts';
import { restoreChoices } from './restore-choices.ts';
import { restorePreview } from './restore-previews.ts';
import { SharedLook } from './shared-look.ts';
import { listSnapshotSets } from './snapshot-sets.ts';
import { LiveVmDetails } from './vm-details.ts';

type Part<Id extends OperationId, Name extends string> =
  OperationOf<Id> extends { readonly [key in Name]: infer Schema extends z.ZodType } ? z.output<Schema> : unknown;
type CallOf<Id extends OperationId> = Call<Part<Id, 'params'>, Part<Id, 'query'>, Part<Id, 'body'>>;

/** For all who look at the same. */
const LOOK_MS = 60_000;
/** The doctor and the search for orphans read every VM: 5 000 take a minute. */
const LOOK_LIMITS = { concurrency: 1, waiting: 1000, timeoutMs: 5 * 60_000 };
/** A micro-VM starts in seconds with KVM and in half a minute without. */
const FILE_LIMITS = { concurrency: 2, waiting: 8, timeoutMs: 4 * 60_000 };

export interface LiveHandlers extends AsyncDisposable {
  readonly handlers: HandlerTable;
  readonly vmDetails: VmDetails;
}

/** Everything that is asked of the cloud or a repository at once, with bounds on each. Disposing closes what is kept open for the next question. */
export function createLiveHandlers(deps: LiveDeps, overrides: Pick<FileSessionsDeps, 'open'> = {}): LiveHandlers {
  const { clock, logger, environment } = deps;
  const scope = new Scope();
  const access = scope.use(new LiveAccess(deps));
  const sessions = scope.use(new FileSessions({ access, clock, logger, environment, ...overrides }));
  const vmDetails = new LiveVmDetails(access, clock);
  return {
    vmDetails,
    handlers: { ...aboutVms(deps, access), ...aboutInfrastructure(deps, access), ...aboutFiles(deps, sessions) },
    [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose](),
  };
}

function aboutVms(deps: LiveDeps, access: LiveAccess): HandlerTable {
  return {
    listSnapshots: ({ params, signal }: CallOf<'listSnapshots'>) => listSnapshotSets(access, params.vmId, { signal }),
    listUndoSets: ({ params, signal }: CallOf<'listUndoSets'>) => undoSets(access, params.vmId, { signal }),
    restoreChoices: ({ caller, params, signal }: CallOf<'restoreChoices'>) => restoreChoices(access, caller, params, { signal }),
    previewRestore: ({ caller, body, signal }: CallOf<'previewRestore'>) =>
      restorePreview({ access, clock: deps.clock, caller }, body as RunRequest, { signal }),
    listDrills: ({ caller, params, query, signal }: CallOf<'listDrills'>) =>
      drills(access, deps.inventory, caller, { repository: params.repository, vmId: query.vmId, limit: query.limit }, { signal }),
  };
}

function aboutInfrastructure(deps: LiveDeps, access: LiveAccess): HandlerTable {
  const { cloud, clock, journals } = deps;
  const looks = new Bounded(clock, LOOK_LIMITS);
  const doctor = new SharedLook(clock, LOOK_MS, (options) => looks.run('doctor', 'the doctor', (call) => findings(deps, access, call), options));
  const orphanSearch = async (call: CallOptions) => listOrphans({ cloud, journals, proxyVm: await access.proxyVm() }, call);
  const orphans = new SharedLook(clock, LOOK_MS, (options) => looks.run('orphans', 'the search for orphans', orphanSearch, options));
  return {
    doctor: ({ signal }: CallOf<'doctor'>) => doctor.get({ signal }),
    listOrphans: ({ signal }: CallOf<'listOrphans'>) => orphans.get({ signal }),
    listProxies: ({ caller, signal }: CallOf<'listProxies'>) => listProxies(deps, access, caller, { signal }),
    listDatastores: ({ caller, signal }: CallOf<'listDatastores'>) => listDatastores(access, caller, { signal }),
  };
}

function aboutFiles({ clock, logger }: LiveDeps, sessions: FileSessions): HandlerTable {
  const bounded = new Bounded(clock, FILE_LIMITS);
  return {
    listFiles: ({ params, query, signal }: CallOf<'listFiles'>) =>
      bounded.run(
        params.pointId,
        `restore point ${params.pointId}`,
        async (call) => {
          await using held = await sessions.use(params, call);
          return await listFiles(held.value, placeOf(query), query.limit);
        },
        { signal },
      ),
    readFile: ({ params, query, signal }: CallOf<'readFile'>) =>
      bounded.run(
        params.pointId,
        `restore point ${params.pointId}`,
        async (call) => {
          const answer = await readFile(await sessions.useAlone(params, call), placeOf(query), logger, { signal });
          // Nobody waits for it any more.
          if (call.signal.aborted) answer.body.destroy();
          return answer;
        },
        { signal },
      ),
  };
}
