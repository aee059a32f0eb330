import { type CallOptions, mapOrdered } from '@onevault/base';
import { isDone, type OneApi, type Vm, type VmId } from '@onevault/one-client';
import { unlessGone } from '../cloud/gone.ts';
import { describeObject } from '../cloud-object.ts';
import { holderOf, type JournalStore } from '../journal.ts';
import { type Claim, claimImage, claimSnapshots, claimTemplate, claimVm, keptImage, keptVm, ownSerials, undoImage } from './ownership.ts';

export interface OrphanDeps {
  readonly cloud: OneApi;
  readonly journals: JournalStore;
  /** Undefined: this does not run in a VM of the cloud; disks attached to any VM are then another proxy's. */
  readonly proxyVm?: VmId | undefined;
}

/** Something of ours that no run will take away any more. */
export interface Orphan extends Claim {
  readonly label: string;
}

/** Something that looks like an orphan and is left alone, with the reason. */
export interface Spared extends Orphan {
  readonly why: { readonly code: 'RUN_ALIVE' | 'OTHER_PROXY' | 'IMAGE_IN_USE' | 'STAYS' | 'KEPT_ON_FAILURE' | 'UNDO'; readonly message: string };
}

export interface OrphanReport {
  /** In the order in which they can be removed: what is attached before its image, a VM before its images. */
  readonly orphans: readonly Orphan[];
  readonly spared: readonly Spared[];
}

export interface OrphanOptions extends CallOptions {
  /** Also what another proxy VM has attached: it will not come back. */
  readonly otherProxies?: boolean;
}

/** Bodies read at a time: pool listings have neither snapshots nor serials. */
const READS = 4;

/**
 * Everything in the cloud that carries all the signs of an object of ours and belongs to no run that lives: without any journal, by what the objects say
 * themselves. Runs of this state directory are known by their journals; one on another proxy is known by the disks it has attached there.
 */
export async function findOrphans(deps: OrphanDeps, options: OrphanOptions = {}): Promise<OrphanReport> {
  const { claims, kept, undo } = await collectClaims(deps.cloud, options);
  const alive = await livingRuns(deps, options);
  const residue = await knownResidue(deps, options);
  const elsewhere = new Map<string, number>();
  for (const { runId, object } of claims) {
    if (object.kind === 'attachment' && object.proxyVmId !== deps.proxyVm && options.otherProxies !== true) elsewhere.set(runId, object.proxyVmId);
  }
  const orphans: Orphan[] = [];
  const spared: Spared[] = [
    ...kept.map((claim) => ({ ...claim, label: describeObject(claim.object, claim.id), why: KEPT })),
    ...undo.map(({ vmId, until, ...claim }) => ({ ...claim, label: describeObject(claim.object, claim.id), why: wayBack(vmId, until) })),
  ];
  for (const claim of claims) {
    const orphan: Orphan = { ...claim, label: describeObject(claim.object, claim.id) };
    const why = whySpared(claim, alive, elsewhere) ?? inUse(claim, claims) ?? residue.get(orphan.label);
    if (why === undefined) orphans.push(orphan);
    else spared.push({ ...orphan, why });
  }
  return { orphans: orphans.sort((a, b) => ORDER[a.object.kind] - ORDER[b.object.kind]), spared };
}

const KEPT: Spared['why'] = { code: 'KEPT_ON_FAILURE', message: 'its restore failed and was told to leave it; remove it by hand when nobody needs it' };

function wayBack(vmId: number, until: string): Spared['why'] {
  return { code: 'UNDO', message: `VM ${vmId} can go back to it until ${until}; onevault undo prune removes it then` };
}

const ORDER = { attachment: 0, vm: 1, template: 2, image: 3, snapshot: 4 } as const;

function whySpared({ runId }: Claim, alive: ReadonlySet<string>, elsewhere: ReadonlyMap<string, number>): Spared['why'] | undefined {
  if (alive.has(runId)) return { code: 'RUN_ALIVE', message: 'its run is at work' };
  const proxy = elsewhere.get(runId);
  if (proxy === undefined) return undefined;
  return { code: 'OTHER_PROXY', message: `its run has disks attached to VM ${proxy}, another proxy, where it may be at work` };
}

/** An image that somebody uses stays, unless it is only attached to the proxy by us, or its VM goes first. */
function inUse({ object, id, users }: ClaimWithUsers, claims: readonly Claim[]): Spared['why'] | undefined {
  if (object.kind !== 'image') return undefined;
  const others = (users ?? []).filter((vm) => !claims.some((claim) => isUse(claim, id, vm)));
  return others.length === 0 ? undefined : { code: 'IMAGE_IN_USE', message: `VM ${others.join(', ')} uses it` };
}

function isUse({ object, id }: Claim, image: number, vm: number): boolean {
  if (object.kind === 'attachment') return object.imageId === image && object.proxyVmId === vm;
  return object.kind === 'vm' && id === vm;
}

type ClaimWithUsers = Claim & { readonly users?: readonly number[] };

interface Collected {
  readonly claims: ClaimWithUsers[];
  readonly kept: Claim[];
  readonly undo: NonNullable<ReturnType<typeof undoImage>>[];
}

async function collectClaims(cloud: OneApi, options: CallOptions): Promise<Collected> {
  const { id: self } = await cloud.whoAmI(options);
  const claims: ClaimWithUsers[] = [];
  const kept: Claim[] = [];
  const undo: Collected['undo'] = [];
  const images = new Map<number, Claim>();
  for await (const image of cloud.images(options)) {
    kept.push(...listOf(keptImage(image, self)));
    undo.push(...listOf(undoImage(image)));
    const claim = claimImage(image, self);
    if (claim === undefined) continue;
    claims.push({ ...claim, users: image.vmIds });
    images.set(image.id, claim);
  }
  for await (const template of cloud.templates(options)) claims.push(...listOf(claimTemplate(template, self)));
  for await (const vm of vmBodies(cloud, options)) {
    kept.push(...listOf(keptVm(vm, self)));
    claims.push(...listOf(claimVm(vm, self)), ...claimSnapshots(vm), ...claimAttachments(vm, images));
  }
  return { claims, kept, undo };
}

function listOf<T>(value: T | undefined): T[] {
  return value === undefined ? [] : [value];
}

async function* vmBodies(cloud: OneApi, options: CallOptions): AsyncGenerator<Vm> {
  const read = mapOrdered(cloud.vms(options), ({ id }) => unlessGone(cloud.vm(id, options)), { ...options, concurrency: READS });
  for await (const vm of read) if (vm !== undefined && !isDone(vm)) yield vm;
}

/** A serial of ours on an image of ours. On anybody else's image it is a serial that somebody typed. */
function claimAttachments(vm: Vm, images: ReadonlyMap<number, Claim>): Claim[] {
  return ownSerials(vm).flatMap(({ diskId, imageId, serial, sizeMiB }) => {
    const image = images.get(imageId);
    if (image === undefined) return [];
    const object = { kind: 'attachment', proxyVmId: vm.id, imageId, serial } as const;
    const where = `VM ${vm.id} ${vm.name}, disk ${diskId}`;
    return [{ runId: image.runId, object, id: diskId, bornAt: undefined, sizeMiB, where, proof: ['serial', 'image of ours'] }];
  });
}

/** What is known to have to stay, by its label. */
async function knownResidue({ cloud, journals }: OrphanDeps, options: CallOptions): Promise<ReadonlyMap<string, Spared['why']>> {
  const known = new Map<string, Spared['why']>();
  for await (const { endpoint, object, id, why } of journals.residue.list(options)) {
    if (endpoint === cloud.endpoint.href) known.set(describeObject(object, id), { code: 'STAYS', message: why.message });
  }
  return known;
}

/** Runs of this state directory that somebody holds: the run itself, or whoever recovers it. */
async function livingRuns({ journals }: OrphanDeps, options: CallOptions): Promise<ReadonlySet<string>> {
  const alive = new Set<string>();
  for await (const { runId, records } of journals.unfinished(options)) {
    if ((await holderOf(records, (owner) => journals.isAlive(owner))) !== undefined) alive.add(runId);
  }
  return alive;
}
