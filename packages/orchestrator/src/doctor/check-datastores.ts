import { type Datastore, mayDo } from '@onevault/one-client';
import { type CaptureCell, captureMatrix, traitsOf } from '../plan/capture-matrix.ts';
import type { Surroundings } from '../plan/surroundings.ts';
import { type Checked, type Finding, ok, trouble } from './finding.ts';

const IMAGE_DATASTORE = 0;
const READY = 0;

/** What each image datastore lets us do: how its disks are captured while their VM runs, whether the proxy can reach it, and whether there is space for a copy. */
export async function* checkDatastores(surroundings: Surroundings): Checked {
  if (surroundings.datastores === undefined) {
    yield trouble('datastores', 'unknown', 'DATASTORES_UNKNOWN', 'datastores', 'they cannot be read', 'give the user USE on the datastores');
    return;
  }
  for (const datastore of surroundings.datastores.filter((entry) => entry.type === IMAGE_DATASTORE)) {
    yield* obstacles(datastore, surroundings);
    yield captureFinding(datastore, surroundings.version);
  }
}

function* obstacles(datastore: Datastore, { caller, proxyClusterId }: Surroundings): Generator<Finding, void> {
  const { id, clusterIds, state, availableMiB, totalMiB } = datastore;
  const subject = nameOf(datastore);
  if (state !== READY)
    yield trouble('datastores', 'problem', 'DATASTORE_DISABLED', subject, 'it is disabled: no disk of it can be copied', `onedatastore enable ${id}`);
  if (caller !== undefined && mayDo(caller.user, 'use', { kind: 'DATASTORE', ...datastore }, caller.rules).may === 'no')
    yield trouble(
      'datastores',
      'problem',
      'DATASTORE_RIGHTS',
      subject,
      'we may not use it: neither copies nor restored images can be made there',
      `onedatastore chmod ${id}, or an access rule with USE`,
    );
  if (proxyClusterId !== undefined && !clusterIds.includes(proxyClusterId))
    yield trouble(
      'datastores',
      'problem',
      'DATASTORE_OTHER_CLUSTER',
      subject,
      `it does not belong to cluster ${proxyClusterId} of the proxy VM: its images cannot be attached there`,
      `onecluster adddatastore ${proxyClusterId} ${id}, or run onevault in a proxy VM of a cluster that has it`,
    );
  if (totalMiB > 0 && availableMiB < totalMiB * 0.05)
    yield trouble(
      'datastores',
      'warning',
      'DATASTORE_FULL',
      subject,
      `${availableMiB} of ${totalMiB} MiB are left; a disk is copied whole before it is read`,
      'give it space, or back up one disk at a time (--parallel-disks 1)',
    );
}

/** Disks without snapshots; a disk's own history can change the choice: onevault plan VM. */
function captureFinding(datastore: Datastore, version: string): Finding {
  const rows = captureMatrix(traitsOf(datastore, version)).map(({ format, persistent, states }) => ({
    title: `${format}${persistent ? ', persistent' : ''}`,
    cell: states.RUNNING,
  }));
  const text = `while running (${datastore.tmMad}): ${rows.map(({ title, cell }) => `${title}: ${cellText(cell)}`).join('; ')}`;
  // No more than a warning: whether somebody suffers from it is said of each VM.
  const limited = rows.find(({ cell }) => cell.method === 'refuse') ?? rows.find(({ cell }) => cell.degraded);
  const remedy = limited?.cell.remedy ?? 'onevault plan VM says for each disk what can be done';
  if (limited) return trouble('datastores', 'warning', 'DATASTORE_CAPTURE', nameOf(datastore), text, remedy);
  return ok('datastores', 'DATASTORE_CAPTURE', nameOf(datastore), text);
}

function cellText({ method, pause, consistency }: CaptureCell): string {
  if (method === 'refuse') return 'refused';
  const stands = pause === 'whole-copy' ? ', guest stands still for a whole copy' : '';
  return `${method} (${consistency ?? 'unknown'}${stands})`;
}

function nameOf({ id, name }: Datastore): string {
  return `datastore ${id} ${name}`;
}
