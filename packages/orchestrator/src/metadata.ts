import { type CallOptions, errorCode, isAbort } from '@onevault/base';
import { type Host, type Image, imageId, type OneApi, parseImage, parseVm, templateId, type Vm } from '@onevault/one-client';
import { number, text, vectors } from './attributes.ts';
import { cipherTexts, countSecrets, encodeSecrets, revealedSecrets, type Secrets } from './secrets.ts';

/** A body that could not be read: GONE, or NOT_PERMITTED to the user we act as. */
export interface MissingBody {
  readonly name: string;
  readonly code: 'METADATA_GONE' | 'METADATA_NOT_PERMITTED' | 'METADATA_UNKNOWN';
  readonly why: string;
  /** A restore makes use of it; the others are for people. */
  readonly wanted: boolean;
}

/**
 * What became of attributes that OpenNebula keeps encrypted (docs/adr/0020): none there; CLEAR, kept readable in a repository that is itself encrypted;
 * CIPHER, kept as OpenNebula encrypted them, of use in that OpenNebula only.
 */
export interface SecretsKept {
  readonly kept: 'NONE' | 'CLEAR' | 'CIPHER';
  /** `CONTEXT/PASSWORD`; never a value. */
  readonly attributes: readonly string[];
}

export interface Metadata {
  /** Files of metadata, by name inside the restore point: each body as OpenNebula sent it. */
  readonly files: ReadonlyMap<string, string>;
  /** Noted, never in the way of a backup. */
  readonly missing: readonly MissingBody[];
  readonly secrets: SecretsKept;
}

export interface MetadataRequest {
  /** The repository is encrypted: secrets may be kept in the clear. */
  readonly keepSecrets: boolean;
}

export const SECRETS_FILE = 'secrets.json';

/** Reads everything around a VM that a restore may want one day: as many calls as it has disks, cards and owners, whatever the size of the cloud. */
export async function readMetadata(cloud: OneApi, vm: Vm, request: MetadataRequest, options: CallOptions = {}): Promise<Metadata> {
  const files = new Map([['vm.xml', vm.xml]]);
  const missing: MissingBody[] = [];
  for (const body of relatedBodies(cloud, vm, options)) {
    const read = await readIfAllowed(body);
    if (typeof read === 'string') files.set(body.name, read);
    else missing.push(read);
  }
  const secrets = request.keepSecrets ? await readSecrets(cloud, vm, imagesIn(files), options) : undefined;
  if (secrets && countSecrets(secrets) > 0) files.set(SECRETS_FILE, encodeSecrets(secrets));
  return { files, missing, secrets: secretsKept(vm, secrets) };
}

interface Body {
  readonly name: string;
  readonly wanted: boolean;
  read(): Promise<string>;
}

function relatedBodies(cloud: OneApi, vm: Vm, options: CallOptions): Body[] {
  const last = vm.history.at(-1);
  const nics = [...vectors(vm.template['NIC']), ...vectors(vm.template['NIC_ALIAS'])];
  const raw = (kind: Parameters<OneApi['rawInfo']>[0], folder: string, ids: readonly number[], wanted = false): Body[] =>
    ids.map((id) => ({ name: `${folder}/${id}.xml`, wanted, read: () => cloud.rawInfo(kind, id, options) }));
  const images = unique(vm.disks.map((disk) => disk.imageId));
  const templates = unique([number(vm.template['TEMPLATE_ID'])]);
  return [
    ...images.map((id) => ({ name: `images/${id}.xml`, wanted: true, read: async () => (await cloud.image(imageId(id), options)).xml })),
    ...templates.map((id) => ({ name: `templates/${id}.xml`, wanted: false, read: async () => (await cloud.template(templateId(id), options)).xml })),
    ...raw('datastore', 'datastores', unique([...vm.disks.map((disk) => disk.datastoreId), last?.datastoreId])),
    ...raw('vn', 'networks', unique(nics.map((nic) => number(nic['NETWORK_ID'])))),
    ...raw('secgroup', 'security-groups', unique(nics.flatMap((nic) => text(nic['SECURITY_GROUPS'])?.split(',') ?? []).map(number))),
    ...raw('vmgroup', 'vm-groups', unique(vectors(vm.template['VMGROUP']).map((group) => number(group['VMGROUP_ID'])))),
    ...raw('user', 'users', [vm.uid]),
    ...raw('group', 'groups', [vm.gid]),
    ...raw('cluster', 'clusters', unique([last?.clusterId])),
    ...(last === undefined ? [] : [{ name: 'host.json', wanted: false, read: async () => hostFacts(await cloud.host(last.hostId, options)) }]),
  ];
}

/** What may matter of the host where the guest ran; its body is mostly figures of the moment, new at every backup. */
function hostFacts({ id, name, clusterId, clusterName, vmMad, template }: Host): string {
  const kept = ['HYPERVISOR', 'ARCH', 'VERSION', 'MODELNAME', 'KVM_CPU_MODEL', 'KVM_MACHINES', 'CGROUPS_VERSION'];
  const facts = Object.fromEntries(kept.flatMap((attribute) => (text(template[attribute]) === undefined ? [] : [[attribute, template[attribute]]])));
  return `${JSON.stringify({ id, name, clusterId, clusterName, vmMad, ...facts })}\n`;
}

/** An object that is gone, or that we may not read, is no reason to have no backup; an unreachable OpenNebula is. */
const NOT_ESSENTIAL: Readonly<Record<string, MissingBody['code']>> = {
  ONE_NO_EXISTS: 'METADATA_GONE',
  ONE_AUTHORIZATION: 'METADATA_NOT_PERMITTED',
  ONE_FAULT: 'METADATA_UNKNOWN', // a method that this OpenNebula does not have
  ONE_RESPONSE_INVALID: 'METADATA_UNKNOWN',
};

async function readIfAllowed({ name, wanted, read }: Body): Promise<string | MissingBody> {
  try {
    return await read();
  } catch (error) {
    const code = NOT_ESSENTIAL[errorCode(error) ?? ''];
    if (isAbort(error) || code === undefined) throw error;
    return { name, code, why: error instanceof Error ? error.message : String(error), wanted };
  }
}

function imagesIn(files: ReadonlyMap<string, string>): readonly Image[] {
  return [...files].flatMap(([name, xml]) => (name.startsWith('images/') ? [parseImage(xml)] : []));
}

/** Asks for the same bodies in the clear: whoever may not see them gets cipher text once more, and nothing is revealed. */
async function readSecrets(cloud: OneApi, vm: Vm, images: readonly Image[], options: CallOptions): Promise<Secrets> {
  const clear = parseVm((await cloud.decryptedInfo('vm', vm.id, options)).reveal());
  const ofImages: Record<string, Secrets['template']> = {};
  for (const image of images) {
    const body = await readIfAllowed({
      name: `images/${image.id}`,
      wanted: false,
      read: async () => (await cloud.decryptedInfo('image', image.id, options)).reveal(),
    });
    const values = typeof body === 'string' ? revealedSecrets(image.template, parseImage(body).template) : [];
    if (values.length > 0) ofImages[String(image.id)] = values;
  }
  return {
    template: revealedSecrets(vm.template, clear.template),
    userTemplate: revealedSecrets(vm.userTemplate, clear.userTemplate),
    images: ofImages,
  };
}

function secretsKept(vm: Vm, secrets: Secrets | undefined): SecretsKept {
  if (secrets && countSecrets(secrets) > 0) {
    const ofImages = Object.entries(secrets.images).flatMap(([id, values]) => values.map(({ path }) => ['IMAGE', id, ...path].join('/')));
    return { kept: 'CLEAR', attributes: [...[...secrets.template, ...secrets.userTemplate].map(({ path }) => path.join('/')), ...ofImages] };
  }
  const cipher = cipherTexts(vm).map((path) => path.join('/'));
  return { kept: cipher.length > 0 ? 'CIPHER' : 'NONE', attributes: cipher };
}

function unique<T extends number>(values: readonly (T | undefined)[]): T[] {
  return [...new Set(values.filter((value) => value !== undefined && value >= 0))] as T[];
}
