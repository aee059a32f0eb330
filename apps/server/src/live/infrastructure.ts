import type { configurationSchemas } from '@onevault/api';
import type { CallOptions, Clock } from '@onevault/base';
import { DATASTORE_TYPE, type Datastore } from '@onevault/one-client';
import { captureMatrix, findOrphans, type Orphan, type OrphanDeps, traitsOf } from '@onevault/orchestrator';
import type { z } from 'zod';
import type { WorkerRegistry, WorkerStanding } from '../ports/worker-registry.ts';
import type { LiveAccess } from './live-access.ts';

type ProxyAnswer = z.output<typeof configurationSchemas.proxy>;
type DatastoreAnswer = z.output<typeof configurationSchemas.datastore>;
type OrphanAnswer = z.output<typeof configurationSchemas.orphan>;

const MIB = 1024 * 1024;
/** Workers say every few seconds that they live. */
const LOST_MS = 2 * 60_000;

/** Workers with the proxy VMs they run in, as each last said of itself. */
export async function listProxies(workers: WorkerRegistry, clock: Clock): Promise<ProxyAnswer[]> {
  const now = clock.now().getTime();
  return (await workers.list()).map((worker) => ({
    ...(worker.proxyVm !== undefined && { vmId: worker.proxyVm.id }),
    name: worker.proxyVm?.name ?? worker.name,
    worker: worker.name,
    state: stateOf(worker, now),
    lastSeenAt: worker.lastSeenAt.toISOString(),
    running: worker.running,
    slots: worker.slots,
    datastores: worker.datastores.map(({ id, name, reachable, reasons }) => ({ id, name, reachable, reasons: [...reasons] })),
  }));
}

function stateOf({ lastSeenAt, running, slots }: WorkerStanding, nowMs: number): ProxyAnswer['state'] {
  if (nowMs - lastSeenAt.getTime() > LOST_MS) return 'lost';
  return running >= slots ? 'busy' : 'ready';
}

/** Image datastores with the capture matrix of their drivers. */
export async function listDatastores(access: LiveAccess, options: CallOptions): Promise<DatastoreAnswer[]> {
  return access.askCloud(async (cloud, call) => {
    const version = await cloud.version(call);
    const all = await cloud.datastores(call);
    return all.filter(({ type }) => type === DATASTORE_TYPE.IMAGE).map((datastore) => datastoreAnswer(datastore, version));
  }, options);
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
