import type { configurationSchemas } from '@onevault/api';
import type { CallOptions } from '@onevault/base';
import { DATASTORE_TYPE, type Datastore } from '@onevault/one-client';
import { captureMatrix, findOrphans, type Orphan, type OrphanDeps, traitsOf } from '@onevault/orchestrator';
import type { z } from 'zod';
import type { Caller } from '../ports/call.ts';
import type { WorkerStanding } from '../ports/worker-registry.ts';
import type { LiveAccess } from './live-access.ts';
import type { LiveDeps } from './live-deps.ts';

type ProxyAnswer = z.output<typeof configurationSchemas.proxy>;
type DatastoreAnswer = z.output<typeof configurationSchemas.datastore>;
type OrphanAnswer = z.output<typeof configurationSchemas.orphan>;

const MIB = 1024 * 1024;
/** Workers say every few seconds that they live. */
const LOST_MS = 2 * 60_000;

/** Workers with the proxy VMs they run in, as each last said of itself: to administrators all of it, to others of what OpenNebula lets them USE. */
export async function listProxies({ workers, clock, inventory }: LiveDeps, access: LiveAccess, caller: Caller, options: CallOptions): Promise<ProxyAnswer[]> {
  const now = clock.now().getTime();
  const said = await workers.list();
  if (caller.role === 'admin') return said.map((worker) => proxyAnswer(worker, now));
  const usable = new Set((await usableDatastores(access, caller, options)).map(({ id }) => Number(id)));
  return said.map((worker) => {
    const proxy = worker.proxyVm === undefined ? undefined : inventory.vm(worker.proxyVm.id);
    const isSeen = proxy !== undefined && caller.mayUse(proxy);
    const datastores = worker.datastores.filter(({ id }) => usable.has(id));
    return proxyAnswer({ ...worker, datastores, proxyVm: isSeen ? worker.proxyVm : undefined }, now);
  });
}

function proxyAnswer(worker: WorkerStanding, now: number): ProxyAnswer {
  return {
    ...(worker.proxyVm !== undefined && { vmId: worker.proxyVm.id }),
    name: worker.proxyVm?.name ?? worker.name,
    worker: worker.name,
    state: stateOf(worker, now),
    lastSeenAt: worker.lastSeenAt.toISOString(),
    running: worker.running,
    slots: worker.slots,
    datastores: worker.datastores.map(({ id, name, reachable, reasons }) => ({ id, name, reachable, reasons: [...reasons] })),
  };
}

function stateOf({ lastSeenAt, running, slots }: WorkerStanding, nowMs: number): ProxyAnswer['state'] {
  if (nowMs - lastSeenAt.getTime() > LOST_MS) return 'lost';
  return running >= slots ? 'busy' : 'ready';
}

/** Image datastores that the caller may USE (an administrator: all), with the capture matrix of their drivers. */
export async function listDatastores(access: LiveAccess, caller: Caller, options: CallOptions): Promise<DatastoreAnswer[]> {
  const version = await access.askCloud((cloud, call) => cloud.version(call), options);
  const all = await usableDatastores(access, caller, options);
  return all.filter(({ type }) => type === DATASTORE_TYPE.IMAGE).map((datastore) => datastoreAnswer(datastore, version));
}

async function usableDatastores(access: LiveAccess, caller: Caller, options: CallOptions): Promise<readonly Datastore[]> {
  const all = await access.askCloud((cloud, call) => cloud.datastores(call), options);
  return caller.role === 'admin' ? all : all.filter((datastore) => caller.may('use', { kind: 'DATASTORE', ...datastore }));
}

function datastoreAnswer(datastore: Datastore, version: string): DatastoreAnswer {
  const { id, name, tmMad, state, availableMiB, totalMiB } = datastore;
  return {
    id,
    name,
    driver: tmMad,
    enabled: state === 0,
    availableBytes: Math.max(0, Math.round(availableMiB)) * MIB,
    totalBytes: Math.max(0, Math.round(totalMiB)) * MIB,
    capture: captureMatrix(traitsOf(datastore, version)).map(({ format, persistent, states }) => ({
      format,
      persistent,
      states: Object.fromEntries(Object.entries(states).map(([inState, { codes, ...cell }]) => [inState, { ...cell, codes: [...codes] }])),
    })),
  };
}

/** Of every proxy whose runs are over: what another worker has attached is left to it, and runs of this process are known by their journals. */
export async function listOrphans(deps: OrphanDeps, options: CallOptions): Promise<OrphanAnswer[]> {
  const { orphans } = await findOrphans(deps, options);
  return orphans.map(orphanAnswer);
}

function orphanAnswer({ object, label, id, runId, where, sizeMiB, bornAt }: Orphan): OrphanAnswer {
  return {
    kind: object.kind,
    name: label,
    id,
    runId,
    where,
    ...(sizeMiB !== undefined && { sizeBytes: sizeMiB * MIB }),
    ...(bornAt !== undefined && { since: new Date(bornAt * 1000).toISOString() }),
  };
}
