import type { RestorePoint } from '@onevault/backup-format';
import { type CallOptions, errorCode } from '@onevault/base';
import { type Attributes, isCloudAdmin, type OneApi, parseNetwork, type RawKind, type Vm } from '@onevault/one-client';
import { text, vectors } from '../attributes.ts';
import type { JobDeps } from '../ports.ts';
import { contextFileSources } from './context-files.ts';
import type { DefinitionFacts } from './definition-facts.ts';
import { networkCards, networkKey } from './network-map.ts';
import { restrictedIn } from './restricted.ts';

/** Reads what the definition depends on: a call for each group the saved VM names, and the networks' bodies from the restore point. */
export async function readDefinitionFacts(
  deps: Pick<JobDeps, 'cloud' | 'repository'>,
  point: RestorePoint,
  saved: Vm,
  originalLives: boolean,
  options: CallOptions,
): Promise<DefinitionFacts> {
  const { cloud } = deps;
  const cards = networkCards(saved.template);
  const securityGroups = new Set(cards.flatMap((card) => text(card['SECURITY_GROUPS'])?.split(',') ?? []));
  const vmGroups = new Set(vectors(saved.template['VMGROUP']).flatMap((group) => text(group['VMGROUP_ID']) ?? []));
  return {
    originalLives,
    restricted: await readRestricted(cloud, options),
    savedNetworks: await readSavedNetworks(deps, point, new Set(cards.flatMap((card) => networkKey(card) ?? [])), options),
    goneSecurityGroups: await goneOf(cloud, 'secgroup', securityGroups, options),
    goneVmGroups: await goneOf(cloud, 'vmgroup', vmGroups, options),
    contextFiles: await readContextFiles(cloud, saved, options),
  };
}

/** Cloud administrators are refused nothing, and asked for nothing here. */
async function readRestricted(cloud: OneApi, options: CallOptions): Promise<ReadonlySet<string>> {
  if (isCloudAdmin(await cloud.whoAmI(options))) return new Set();
  try {
    return restrictedIn(await cloud.configuration(options));
  } catch (error) {
    if (!isNotReadable(error)) throw error;
    return restrictedIn(undefined);
  }
}

async function readSavedNetworks(
  { repository }: Pick<JobDeps, 'repository'>,
  point: RestorePoint,
  ids: ReadonlySet<string>,
  options: CallOptions,
): Promise<ReadonlyMap<string, Attributes>> {
  const networks = new Map<string, Attributes>();
  for (const id of ids) {
    const name = `networks/${id}.xml`;
    if (!point.metadata.some((file) => file.name === name)) continue;
    const xml = new TextDecoder().decode(await repository.readMetadata(point, name, options));
    const template = networkTemplate(xml);
    if (template !== undefined) networks.set(id, template);
  }
  return networks;
}

/** Kept for the sake of a better definition: one that cannot be read is as good as none. */
function networkTemplate(xml: string): Attributes | undefined {
  try {
    return parseNetwork(xml).template;
  } catch (error) {
    if (errorCode(error) !== 'ONE_RESPONSE_INVALID') throw error;
    return undefined;
  }
}

async function goneOf(cloud: OneApi, kind: RawKind, ids: ReadonlySet<string>, options: CallOptions): Promise<ReadonlySet<string>> {
  const gone = new Set<string>();
  for (const id of ids) {
    if (!/^\d+$/.test(id)) continue;
    try {
      await cloud.rawInfo(kind, Number(id), options);
    } catch (error) {
      if (!isNotReadable(error)) throw error;
      gone.add(id);
    }
  }
  return gone;
}

/** FILES_DS names files by where they lie: the whole image pool is looked through, for a VM that has any. */
async function readContextFiles(cloud: OneApi, saved: Vm, options: CallOptions): Promise<ReadonlyMap<string, number>> {
  const wanted = new Set(vectors(saved.template['CONTEXT']).flatMap((context) => contextFileSources(text(context['FILES_DS']) ?? '')));
  const found = new Map<string, number>();
  if (wanted.size === 0) return found;
  for await (const image of cloud.images(options)) if (image.source !== undefined && wanted.has(image.source)) found.set(image.source, image.id);
  return found;
}

/** Not there, not for us, or a call this OpenNebula does not have. */
function isNotReadable(error: unknown): boolean {
  return ['ONE_NO_EXISTS', 'ONE_AUTHORIZATION', 'ONE_FAULT'].includes(errorCode(error) ?? '');
}
