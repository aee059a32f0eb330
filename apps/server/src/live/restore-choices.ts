import type { runSchemas } from '@onevault/api';
import type { Repository, RestorePoint } from '@onevault/backup-format';
import { type CallOptions, errorCode } from '@onevault/base';
import { skippedDisks } from '@onevault/composition';
import { type Attribute, type Attributes, DATASTORE_TYPE, type Datastore, isDone, type Network, type OneApi, parseVm, type Vm } from '@onevault/one-client';
import { QUESTIONS } from '@onevault/orchestrator';
import type { z } from 'zod';
import type { Caller } from '../ports/call.ts';
import { exactPoint, type LiveAccess } from './live-access.ts';

type ChoicesAnswer = z.output<typeof runSchemas.restoreChoices>;

const MIB = 1024 * 1024;

interface CloudNow {
  readonly datastores: readonly Datastore[];
  readonly networks: readonly Network[];
  readonly originalLives: boolean;
}

/** What a restore's form offers: what the point has, and where the caller may put it. */
export async function restoreChoices(
  access: LiveAccess,
  caller: Caller,
  { repository, pointId }: { readonly repository: string; readonly pointId: string },
  options: CallOptions,
): Promise<ChoicesAnswer> {
  const { point, saved } = await access.askRepository(repository, (open, call) => savedIn(open, pointId, call), options);
  const now = await access.askCloud((cloud, call) => cloudNow(cloud, saved, call), options);
  return choices(point, saved, now, caller);
}

async function savedIn(open: Repository, pointId: string, options: CallOptions): Promise<{ readonly point: RestorePoint; readonly saved: Vm }> {
  const point = await exactPoint(open, pointId, options);
  const body = await open.readMetadata(point, 'vm.xml', options);
  return { point, saved: parseVm(new TextDecoder().decode(body)) };
}

async function cloudNow(cloud: OneApi, saved: Vm, options: CallOptions): Promise<CloudNow> {
  const [datastores, networks, originalLives] = await Promise.all([cloud.datastores(options), cloud.networks(options), lives(cloud, saved, options)]);
  return { datastores, networks, originalLives };
}

/** An id is never given twice, but a new database of OpenNebula begins anew: the start tells. */
async function lives(cloud: OneApi, saved: Vm, options: CallOptions): Promise<boolean> {
  try {
    const vm = await cloud.vm(saved.id, options);
    return !isDone(vm) && vm.startTime === saved.startTime;
  } catch (error) {
    if (errorCode(error) === 'ONE_NO_EXISTS') return false;
    throw error;
  }
}

/** In bytes of UTF-8: OpenNebula takes no longer name (name_is_valid in src/pool/PoolObjectSQL.cc). */
const LONGEST_NAME = 128;
const SUFFIX = '-restored';

/** What the new VM is called unless somebody says otherwise: never so long that it would be refused, never with half of a character at its end. */
export function nameFor(saved: string, originalLives: boolean): string {
  if (!originalLives) return saved;
  const { read } = new TextEncoder().encodeInto(saved, new Uint8Array(LONGEST_NAME - SUFFIX.length));
  return `${saved.slice(0, read)}${SUFFIX}`;
}

function choices(point: RestorePoint, saved: Vm, now: CloudNow, caller: Caller): ChoicesAnswer {
  const mayUse = (datastore: Datastore): boolean => caller.may('use', { kind: 'DATASTORE', ...datastore });
  const ofType = (type: number): Datastore[] => now.datastores.filter((one) => one.type === type && mayUse(one));
  return {
    name: nameFor(saved.name, now.originalLives),
    originalLives: now.originalLives,
    disks: disksOf(point, saved, now.datastores),
    networks: networksOf(saved, now.networks),
    targets: {
      imageDatastores: ofType(DATASTORE_TYPE.IMAGE).map(place),
      systemDatastores: ofType(DATASTORE_TYPE.SYSTEM).map(place),
      networks: now.networks.filter((network) => caller.may('use', { kind: 'NET', ...network })).map(({ id, name }) => ({ id, name })),
    },
    questions: Object.entries(QUESTIONS).map(([question, answers]) => ({ question, choices: [...answers] })),
  };
}

function place({ id, name, availableMiB, totalMiB }: Datastore) {
  return { id: Number(id), name, availableMiB: Math.max(0, Math.round(availableMiB)), totalMiB: Math.max(0, Math.round(totalMiB)) };
}

/** Image disks: volatile ones and CD-ROMs come by themselves. */
function disksOf(point: RestorePoint, saved: Vm, datastores: readonly Datastore[]): ChoicesAnswer['disks'] {
  const skipped = new Set(skippedDisks(point).map(({ diskId }) => diskId));
  return saved.disks
    .filter(({ imageId, type }) => imageId !== undefined && !/CDROM$/.test(type))
    .map(({ diskId, target, sizeMiB, datastoreId }) => ({
      diskId: Number(diskId),
      target,
      sizeBytes: sizeMiB * MIB,
      saved: !skipped.has(diskId),
      ...(datastoreId !== undefined && datastores.some(({ id }) => id === datastoreId) && { imageDatastore: Number(datastoreId) }),
    }));
}

function networksOf({ template }: Vm, networks: readonly Network[]): ChoicesAnswer['networks'] {
  const cards = [...vectors(template['NIC']), ...vectors(template['NIC_ALIAS'])];
  const saved = cards.flatMap((card) => {
    const id = textOf(card['NETWORK_ID']);
    const name = textOf(card['NETWORK']) ?? id;
    return name === undefined ? [] : [{ ...(id !== undefined && { id: Number(id) }), name, exists: networks.some((one) => String(one.id) === id) }];
  });
  return [...new Map(saved.map((network) => [network.id ?? network.name, network])).values()];
}

function vectors(attribute: Attribute | undefined): readonly Attributes[] {
  const all = Array.isArray(attribute) ? attribute : [attribute];
  return all.filter((one): one is Attributes => typeof one === 'object' && one !== null);
}

function textOf(attribute: Attribute | undefined): string | undefined {
  return typeof attribute === 'string' && attribute !== '' ? attribute : undefined;
}
