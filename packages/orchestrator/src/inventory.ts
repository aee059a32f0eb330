import { type CallOptions, errorCode, isAbort } from '@onevault/base';
import { type Attribute, type Attributes, imageId, type OneApi, templateId, type Vm, type VmId } from '@onevault/one-client';

/** Everything the cloud says about a VM that a restore may want one day, read before anything is changed. */
export interface Inventory {
  readonly version: string;
  readonly vm: Vm;
  /** Files of metadata, by name inside the restore point: each body as OpenNebula sent it. */
  readonly metadata: ReadonlyMap<string, string>;
  /** Bodies that could not be read, with the reason: noted, never in the way of a backup. */
  readonly missing: readonly { readonly name: string; readonly why: string }[];
}

export async function takeInventory(cloud: OneApi, id: VmId, options: CallOptions = {}): Promise<Inventory> {
  const version = await cloud.version(options);
  const vm = await cloud.vm(id, options);
  const metadata = new Map([['vm.xml', vm.xml]]);
  const missing: { name: string; why: string }[] = [];
  for (const body of relatedBodies(cloud, vm, options)) {
    try {
      metadata.set(body.name, await body.read());
    } catch (error) {
      if (isAbort(error) || !NOT_ESSENTIAL.has(errorCode(error) ?? '')) throw error;
      missing.push({ name: body.name, why: (error as Error).message });
    }
  }
  return { version, vm, metadata, missing };
}

/** An object that is gone, or that we may not read, is no reason to have no backup; an unreachable OpenNebula is. */
const NOT_ESSENTIAL: ReadonlySet<string> = new Set(['ONE_NO_EXISTS', 'ONE_AUTHORIZATION']);

interface Body {
  readonly name: string;
  read(): Promise<string>;
}

function relatedBodies(cloud: OneApi, vm: Vm, options: CallOptions): Body[] {
  const images = unique(vm.disks.map((disk) => disk.imageId));
  const datastores = unique([...vm.disks.map((disk) => disk.datastoreId), vm.history.at(-1)?.datastoreId]);
  const nics = vectors(vm.template['NIC']);
  const networks = unique(nics.map((nic) => number(nic['NETWORK_ID'])));
  const groups = unique(nics.flatMap((nic) => text(nic['SECURITY_GROUPS'])?.split(',') ?? []).map(number));
  const template = number(vm.template['TEMPLATE_ID']);
  return [
    ...images.map((id) => ({ name: `images/${id}.xml`, read: async () => (await cloud.image(imageId(id), options)).xml })),
    ...(template === undefined ? [] : [{ name: `templates/${template}.xml`, read: async () => (await cloud.template(templateId(template), options)).xml }]),
    ...datastores.map((id) => ({ name: `datastores/${id}.xml`, read: () => cloud.rawInfo('datastore', id, options) })),
    ...networks.map((id) => ({ name: `networks/${id}.xml`, read: () => cloud.rawInfo('vn', id, options) })),
    ...groups.map((id) => ({ name: `security-groups/${id}.xml`, read: () => cloud.rawInfo('secgroup', id, options) })),
    { name: `users/${vm.uid}.xml`, read: () => cloud.rawInfo('user', vm.uid, options) },
    { name: `groups/${vm.gid}.xml`, read: () => cloud.rawInfo('group', vm.gid, options) },
  ];
}

/** One attribute that may stand once, several times or not at all, as a list of vectors. */
export function vectors(attribute: Attribute | undefined): readonly Attributes[] {
  if (attribute === undefined || typeof attribute === 'string') return [];
  return isList(attribute) ? attribute.flatMap((entry) => vectors(entry)) : [attribute];
}

function isList(attribute: Attributes | readonly Attribute[]): attribute is readonly Attribute[] {
  return Array.isArray(attribute);
}

export function text(attribute: Attribute | undefined): string | undefined {
  return typeof attribute === 'string' ? attribute : undefined;
}

function number(attribute: Attribute | undefined): number | undefined {
  const value = text(attribute);
  return value !== undefined && /^\d+$/.test(value) ? Number(value) : undefined;
}

function unique<T extends number>(values: readonly (T | undefined)[]): T[] {
  return [...new Set(values.filter((value) => value !== undefined))];
}
