import { DATASTORE_TYPE, type Datastore } from '@onevault/one-client';
import { text } from '../attributes.ts';
import type { RestoreScene } from './restore-scene.ts';

const READY = 0;

/** System datastores that can carry every disk of the VM: the chosen one, or all that would do. */
export function fittingSystems(scene: RestoreScene, datastores: readonly Datastore[]): readonly Datastore[] {
  const { systemDatastore } = scene.request;
  return datastores.filter(
    (system) =>
      system.type === DATASTORE_TYPE.SYSTEM &&
      system.state === READY &&
      (systemDatastore === undefined || system.id === systemDatastore) &&
      unfitImages(scene, datastores, system).length === 0,
  );
}

/** Image datastores of this restore whose images that system datastore cannot carry (VirtualMachineDisks::check_tm_mad). */
export function unfitImages({ plan }: RestoreScene, datastores: readonly Datastore[], system: Datastore): readonly Datastore[] {
  const used = new Set([...plan.images.map(({ spec }) => spec.datastore), ...plan.cdroms.map(({ datastoreId }) => datastoreId)]);
  return datastores.filter((datastore) => used.has(datastore.id) && !carries(datastore, system));
}

function carries(datastore: Datastore, system: Datastore): boolean {
  return same(datastore.tmMad, system.tmMad) || systemDrivers(datastore).some((driver) => same(driver, system.tmMad));
}

function systemDrivers(datastore: Datastore): string[] {
  return (text(datastore.template['TM_MAD_SYSTEM']) ?? '').split(',').map((driver) => driver.trim());
}

/** NONE, SELF or SYSTEM: where the disk of an image lies while its VM runs (Datastore::get_tm_mad_targets). */
export function transferTarget(datastore: Datastore, system: Datastore, persistent: boolean): string | undefined {
  const name = persistent ? 'LN_TARGET' : 'CLONE_TARGET';
  const other = same(datastore.tmMad, system.tmMad) ? undefined : text(datastore.template[`${name}_${system.tmMad.toUpperCase()}`]);
  return (other ?? text(datastore.template[name]))?.toUpperCase();
}

const same = (a: string, b: string): boolean => a.toUpperCase() === b.toUpperCase();
