import type { Repository } from '@onevault/backup-format';
import { type CallOptions, type Clock, isAbort } from '@onevault/base';
import type { OneApi, VmId } from '@onevault/one-client';
import type { StorageFinding } from '@onevault/proxy-attach';
import type { JournalStore } from '../journal.ts';
import { readSurroundings } from '../plan/surroundings.ts';
import { checkClock, type FrontEndTime } from './check-clock.ts';
import { checkCloud } from './check-cloud.ts';
import { checkDatastores } from './check-datastores.ts';
import { checkExchanged } from './check-exchanged.ts';
import { checkLeftovers } from './check-leftovers.ts';
import { checkProxy } from './check-proxy.ts';
import { checkRepository } from './check-repository.ts';
import { checkRights } from './check-rights.ts';
import { checkSpace, type Volume } from './check-space.ts';
import { checkStorage } from './check-storage.ts';
import { checkVms } from './check-vms.ts';
import { type Checked, type DoctorArea, failed, trouble } from './finding.ts';

/** Where the doctor looks. Nothing is opened before it is asked for; what cannot be opened is a finding. */
export interface DoctorDeps {
  readonly openCloud: (options: CallOptions) => Promise<OneApi>;
  readonly frontEndTime: FrontEndTime;
  readonly findProxy: (cloud: OneApi, options: CallOptions) => Promise<VmId>;
  /** How disks will be told apart in the proxy, for this version of OpenNebula. */
  readonly identification: (version: string) => string;
  readonly storage: (options: CallOptions) => Promise<readonly StorageFinding[]>;
  readonly journals: JournalStore;
  /** Undefined: none is named. */
  readonly openRepository: ((options: CallOptions) => Promise<Repository>) | undefined;
  readonly volumes: (options: CallOptions) => Promise<readonly Volume[]>;
  readonly clock: Clock;
}

/**
 * Looks at everything a backup and a restore depend on and says what is wrong and what to do, as it finds it; touches nothing. What cannot be looked at
 * is a finding too, so that one broken part hides no other.
 */
export async function* runDoctor(deps: DoctorDeps, options: CallOptions = {}): Checked {
  const cloud = yield* attempt('cloud', 'OpenNebula', () => deps.openCloud(options), options);
  const version = cloud && (yield* attempt('cloud', cloud.endpoint.href, () => cloud.version(options), options));
  if (cloud === undefined || version === undefined) yield cloudMissing();
  else yield* examineCloud(deps, cloud, version, options);
  yield* guarded('storage', 'proxy machine', checkStorage(deps.storage, options), options);
  yield* guarded('repository', 'repository', checkRepository(deps, options), options);
  yield* guarded('space', 'this machine', checkSpace(deps.volumes, options), options);
}

async function* examineCloud(deps: DoctorDeps, cloud: OneApi, version: string, options: CallOptions): Checked {
  yield* guarded('cloud', cloud.endpoint.href, checkCloud(cloud, version), options);
  yield* guarded('clock', cloud.endpoint.href, checkClock(deps.frontEndTime, deps.clock), options);
  const proxyVm = yield* attempt('proxy', 'proxy VM', () => deps.findProxy(cloud, options), options);
  const surroundings = yield* attempt('datastores', cloud.endpoint.href, () => readSurroundings(cloud, proxyVm, options), options);
  if (surroundings === undefined) return;
  yield* guarded('rights', 'the user', checkRights(surroundings), options);
  if (proxyVm !== undefined) yield* guarded('proxy', `VM ${proxyVm}`, checkProxy(deps, cloud, proxyVm, surroundings, options), options);
  yield* guarded('datastores', 'datastores', checkDatastores(surroundings), options);
  yield* guarded('vms', 'VMs', checkVms(cloud, proxyVm, surroundings, options), options);
  yield* guarded('leftovers', 'leftovers', checkLeftovers(cloud, deps.journals, options), options);
  yield* guarded('leftovers', 'ways back', checkExchanged(cloud, deps.clock, options), options);
}

/** The result, or a finding and undefined. An abort is not a finding. */
async function* attempt<T>(
  area: DoctorArea,
  subject: string,
  work: () => Promise<T>,
  options: CallOptions,
): AsyncGenerator<ReturnType<typeof failed>, T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (isAbort(error) || options.signal?.aborted === true) throw error;
    yield failed(area, subject, error);
    return undefined;
  }
}

async function* guarded(area: DoctorArea, subject: string, check: Checked, options: CallOptions): Checked {
  try {
    yield* check;
  } catch (error) {
    if (isAbort(error) || options.signal?.aborted === true) throw error;
    yield failed(area, subject, error);
  }
}

function cloudMissing() {
  return trouble(
    'cloud',
    'unknown',
    'CLOUD_NOT_EXAMINED',
    'OpenNebula',
    'rights, proxy VM, datastores, VMs and leftovers were not looked at, since OpenNebula did not answer',
    'settle what stands above, then run doctor again',
  );
}
