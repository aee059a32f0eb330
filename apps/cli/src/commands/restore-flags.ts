import type { DatastoreId, OneApi } from '@onevault/one-client';
import type { NetworkChange, OwnershipWish, RestoreMethod, RestoreWishes } from '@onevault/orchestrator';
import { type Command, Option } from 'commander';
import { usageError } from '../errors.ts';
import { idOfNamed } from '../select/named-object.ts';

/** What every restore that makes images can be told. */
export interface ImageFlags {
  readonly method?: RestoreMethod;
  readonly persistence?: Persistence;
  readonly owner?: string;
  readonly group?: string;
  readonly permissions?: string;
  readonly asSaved?: boolean;
  readonly keepOnFailure?: boolean;
  readonly verify: boolean;
}

const PERSISTENCE = ['as-it-was', 'persistent', 'non-persistent'] as const;
type Persistence = (typeof PERSISTENCE)[number];

export function addImageFlags(command: Command): Command {
  return command
    .addOption(
      new Option('--method <method>', 'write the image itself (direct), or an empty one that OpenNebula then saves as the image (saveas)')
        .choices(['auto', 'direct', 'saveas'])
        .default('auto'),
    )
    .addOption(new Option('--persistence <choice>', 'of the images').choices(PERSISTENCE).default('as-it-was'))
    .option('--as-saved', 'owner, group and permissions as they were, where they still exist; default: the API user’s')
    .option('--owner <user>', 'id or name: who gets what is restored')
    .option('--group <group>', 'id or name')
    .option('--permissions <octal>', 'of owner, group and others, as for onevm chmod: 640')
    .option('--keep-on-failure', 'leave what was made when the restore fails, marked and listed by onevault cleanup')
    .option('--no-verify', 'do not read the written disks back');
}

export async function imageWishes(cloud: OneApi, flags: ImageFlags, signal: AbortSignal): Promise<Omit<RestoreWishes, 'pointId' | 'imageDatastore'>> {
  const { method, persistence = 'as-it-was', keepOnFailure, verify } = flags;
  return {
    verify,
    ...(method !== undefined && { method }),
    ...(persistence !== 'as-it-was' && { persistent: persistence === 'persistent' }),
    ...(keepOnFailure !== undefined && { keepOnFailure }),
    ownership: await ownershipWish(cloud, flags, signal),
  };
}

async function ownershipWish(cloud: OneApi, { asSaved, owner, group, permissions }: ImageFlags, signal: AbortSignal): Promise<OwnershipWish> {
  return {
    ...(asSaved !== undefined && { asSaved }),
    ...(owner !== undefined && { userId: idOfNamed(await cloud.users({ signal }), owner, 'a user') }),
    ...(group !== undefined && { groupId: idOfNamed(await cloud.groups({ signal }), group, 'a group') }),
    ...(permissions !== undefined && { permissions }),
  };
}

export async function datastoreOf(cloud: OneApi, text: string, signal: AbortSignal): Promise<DatastoreId> {
  return idOfNamed(await cloud.datastores({ signal }), text, 'a datastore');
}

/** `default` for all disks, `2=fast` for one: the last of each counts. */
export async function imageDatastores(
  cloud: OneApi,
  texts: readonly string[],
  signal: AbortSignal,
): Promise<{ readonly imageDatastore?: DatastoreId; readonly imageDatastores: ReadonlyMap<number, DatastoreId> }> {
  const byDisk = new Map<number, DatastoreId>();
  let all: DatastoreId | undefined;
  for (const text of texts) {
    const [, disk, place] = /^(\d+)=(.+)$/.exec(text) ?? [];
    if (disk !== undefined && place !== undefined) byDisk.set(Number(disk), await datastoreOf(cloud, place, signal));
    else all = await datastoreOf(cloud, text, signal);
  }
  return { ...(all !== undefined && { imageDatastore: all }), imageDatastores: byDisk };
}

/** `OLD=NEW`: a network of the saved VM, by its id or name there, and one that exists, by id or name. */
export async function networkChanges(cloud: OneApi, texts: readonly string[], signal: AbortSignal): Promise<NetworkChange[]> {
  if (texts.length === 0) return [];
  const networks = await cloud.networks({ signal });
  return texts.map((text) => {
    const [, from, to] = /^([^=]+)=(.+)$/.exec(text) ?? [];
    if (from === undefined || to === undefined)
      throw usageError(`'${text}' does not say which network takes whose place`, '--network OLD=NEW, each an id or a name');
    return { from, to: idOfNamed(networks, to, 'a network') };
  });
}

/** For options that may be repeated. */
export function repeated(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), text];
}

export function parallelOf(text: string): number {
  const disks = Number(text);
  if (!/^\d+$/.test(text) || disks < 1 || disks > 16) throw usageError(`${text} disks at the same time`, 'a number from 1 to 16');
  return disks;
}
