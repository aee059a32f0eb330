import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { isRepositoryError, type ObjectStore, openRepository, openStore, parseStoreUrl, type Repository, type RepositorySecret } from '@onevault/backup-format';
import { type CallOptions, type Clock, errorCode, type Logger, Scope, systemClock } from '@onevault/base';
import { flushBlockDevice, openBlockDevice, openWritableBlockDevice, scan } from '@onevault/block-cbt';
import { createOneClient, findConnection, type OneApi, type VmId } from '@onevault/one-client';
import {
  type ControlDeps,
  type DevicePort,
  fileJournals,
  type JobDeps,
  type JobEvent,
  type JournalStore,
  proxyHotplug,
  type RecoverDeps,
} from '@onevault/orchestrator';
import { chooseIdentification, createAttacher, type DiskAttacher, machineHotplugLock, readSysfsDisks } from '@onevault/proxy-attach';
import { CompositionError } from './errors.ts';
import { findProxyVm } from './proxy-vm.ts';
import type { AskSecret } from './secret/ask-secret.ts';
import { readSecret } from './secret/read-secret.ts';
import type { Settings } from './settings.ts';
import { refuseStateOfOthers } from './state-of-others.ts';
import { decorateStore } from './store/decorate-store.ts';

export interface OpenCloudOptions extends CallOptions {
  readonly onServerTime?: (time: Date) => void;
}

/** What a program may ask for, with one repository. Each `open…` makes what it returns; whoever asked gives it back. */
export interface Composition {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly logger: Logger;
  /** `onServerTime` is told what time the front-end's answers carry. */
  openCloud(options?: OpenCloudOptions): Promise<OneApi & AsyncDisposable>;
  /** Asks for the secret when the repository needs one that was not given. */
  openRepository(options?: CallOptions): Promise<Repository>;
  /** The repository that a copy goes to, at a path or URL. */
  openTarget(place: string, options?: CallOptions): Promise<Repository>;
  /** The secret that flags or environment give, if any. */
  secret(options?: CallOptions): Promise<RepositorySecret | undefined>;
  readonly ask: AskSecret;
  /** Where the repository is, or would be; or the store at another place, a path or URL with absolute paths. Nothing is reached before the first call. */
  openStore(place?: string, use?: { readonly cached: boolean }): ObjectStore;
  journals(): JournalStore;
  /** Cloud and journal: what needs neither proxy VM nor repository. */
  openControl(emit: (event: JobEvent) => void, options?: CallOptions): Promise<ControlDeps & AsyncDisposable>;
  /** Cloud, proxy, repository and journal in one: what a backup or a restore needs. */
  openJobs(emit: (event: JobEvent) => void, options?: CallOptions): Promise<JobDeps & AsyncDisposable>;
  /** Cloud, proxy and journal: what taking things back needs. Also where this does not run in a VM of the cloud. */
  openRecovery(options?: CallOptions): Promise<RecoverDeps & AsyncDisposable>;
}

const devices: DevicePort = { open: openBlockDevice, openWritable: openWritableBlockDevice, scan };

/** From 0 to 1, as retries spread their waits. */
const random = (): number => randomBytes(6).readUIntBE(0, 6) / 2 ** 48;

/** `ask` is for people at a terminal who gave no secret for an encrypted repository. */
export function compose(settings: Settings, logger: Logger, clock: Clock = systemClock, ask: AskSecret = async () => undefined): Composition {
  const composition: Composition = {
    settings,
    clock,
    logger,
    openCloud: (options = {}) => openCloud(settings, logger, clock, options),
    ask,
    secret: async (options = {}) => settings.secret && (await readSecret(settings.secret, options)),
    openRepository: (options = {}) => openIn(composition, options, { cached: false }),
    openTarget: (place, options = {}) => openTarget(composition, place, options),
    openStore: (place = settings.repo ?? repositoryUnset(), use = { cached: false }) => {
      const address = parseStoreUrl(place);
      return decorateStore(openStore(address, { env: settings.storeEnvironment, clock, logger }), address.kind, settings.traffic, use, {
        clock,
        logger,
        random,
      });
    },
    journals: () => fileJournals({ directory: join(settings.stateDir, 'journals') }),
    openControl: (emit, options = {}) => openControl(composition, emit, options),
    openJobs: (emit, options = {}) => openJobs(composition, emit, options),
    openRecovery: (options = {}) => openRecovery(composition, options),
  };
  return composition;
}

async function openIn(composition: Composition, options: CallOptions, use: { readonly cached: boolean }): Promise<Repository> {
  return unlock(composition, composition.openStore(undefined, use), await composition.secret(options), options);
}

async function openTarget(composition: Composition, place: string, options: CallOptions): Promise<Repository> {
  const { settings, clock, logger } = composition;
  const address = parseStoreUrl(place);
  const secret = settings.target.secret && (await readSecret(settings.target.secret, options));
  const store = openStore(address, { env: settings.target.storeEnvironment, clock, logger });
  return unlock(composition, decorateStore(store, address.kind, settings.traffic, { cached: false }, { clock, logger, random }), secret, options);
}

/** Opens what is in a store, and asks for the secret when one is needed and none was given. */
async function unlock(composition: Composition, owned: ObjectStore, given: RepositorySecret | undefined, options: CallOptions): Promise<Repository> {
  const { clock, logger } = composition;
  await using scope = new Scope();
  const store = scope.use(owned);
  const open = (secret: RepositorySecret | undefined): Promise<Repository> =>
    openRepository(store, { clock, logger, randomBytes, ...(secret && { secret }) }, options);
  const repository = await open(given).catch(async (error: unknown) => {
    if (!isRepositoryError(error, 'REPO_KEY_REQUIRED')) throw error;
    const typed = await composition.ask(`passphrase or recovery key of ${store.location}`, options);
    if (!typed) throw error;
    return open(typed);
  });
  scope.move(); // from here on the repository gives the store back
  return repository;
}

async function openCloud(settings: Settings, logger: Logger, clock: Clock, options: OpenCloudOptions): Promise<OneApi & AsyncDisposable> {
  const { endpoint, session, http, callTimeoutMs, pageSize } = await findConnection(settings.oneEnvironment, options);
  return createOneClient({
    endpoint,
    session,
    http: { ...http, ...(options.onServerTime && { onServerTime: options.onServerTime }) },
    clock,
    logger,
    ...(callTimeoutMs !== undefined && { callTimeoutMs }),
    ...(pageSize !== undefined && { pageSize }),
  });
}

async function openControl(composition: Composition, emit: (event: JobEvent) => void, options: CallOptions): Promise<ControlDeps & AsyncDisposable> {
  await refuseStateOfOthers(composition.settings.stateDir);
  const { clock, logger } = composition;
  const cloud = await composition.openCloud(options);
  return {
    cloud,
    journals: composition.journals(),
    clock,
    randomBytes,
    logger,
    emit,
    [Symbol.asyncDispose]: () => cloud[Symbol.asyncDispose](),
  };
}

async function openJobs(composition: Composition, emit: (event: JobEvent) => void, options: CallOptions): Promise<JobDeps & AsyncDisposable> {
  await refuseStateOfOthers(composition.settings.stateDir);
  const { settings, clock, logger } = composition;
  await using scope = new Scope();
  const repository = scope.use(await openIn(composition, options, { cached: true }));
  const cloud = scope.use(await composition.openCloud(options));
  const proxyVm = await findProxyVm(settings, cloud, options);
  const attacher = await ownAttacher(composition, cloud, proxyVm, options);
  const owned = scope.move();
  return {
    cloud,
    attacher,
    proxyVm,
    attacherOf: attachersByBody(composition, cloud),
    devices,
    repository,
    journals: composition.journals(),
    clock,
    randomBytes,
    logger,
    emit,
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

/** For the proxy VM that this runs in. */
async function ownAttacher({ settings, clock, logger }: Composition, cloud: OneApi, proxyVm: VmId, options: CallOptions): Promise<DiskAttacher> {
  const { proxyRoot, identification } = settings;
  return createAttacher({
    api: proxyHotplug(cloud, proxyVm),
    sysfs: (call) => readSysfsDisks(proxyRoot, call),
    clock,
    logger,
    identification: chooseIdentification(await cloud.version(options), identification),
    lock: machineHotplugLock({ clock, proxyRoot }),
    flush: flushBlockDevice,
  });
}

/** For proxy VMs whose devices cannot be seen from here: they only detach, which needs no way to identify a device. */
function attachersByBody({ clock, logger }: Composition, cloud: OneApi): (proxyVm: VmId) => DiskAttacher {
  const identification = chooseIdentification('');
  return (proxyVm) => createAttacher({ api: proxyHotplug(cloud, proxyVm), sysfs: async () => [], clock, logger, identification });
}

async function openRecovery(composition: Composition, options: CallOptions): Promise<RecoverDeps & AsyncDisposable> {
  await refuseStateOfOthers(composition.settings.stateDir);
  const { settings, clock, logger } = composition;
  await using scope = new Scope();
  const cloud = scope.use(await composition.openCloud(options));
  const proxyVm = await findProxyVm(settings, cloud, options).catch((error: unknown) => {
    if (errorCode(error) !== 'ATTACH_PROXY_UNKNOWN') throw error;
    return undefined;
  });
  const attacher = proxyVm === undefined ? undefined : await ownAttacher(composition, cloud, proxyVm, options);
  const owned = scope.move();
  const attacherOf = attachersByBody(composition, cloud);
  return { cloud, attacher, proxyVm, attacherOf, journals: composition.journals(), clock, logger, [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose]() };
}

function repositoryUnset(): never {
  throw new CompositionError({
    code: 'CLI_REPOSITORY_UNSET',
    message: 'no repository is named',
    hint: 'name it with --repo PATH, --repo s3://BUCKET/PREFIX or ONEVAULT_REPO; onevault init makes a new one',
  });
}
