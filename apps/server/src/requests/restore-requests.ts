import type { RunRequest } from '@onevault/api';
import type { CallOptions } from '@onevault/base';
import { datastoreId, type OneApi, type VmId, vmId } from '@onevault/one-client';
import {
  type Answers,
  type InPlaceRequest,
  type NetworkChange,
  type OwnershipWish,
  QUESTIONS,
  type RestoreRequest,
  type UndoRequest,
} from '@onevault/orchestrator';
import { notOne, unknownAnswer } from './request-errors.ts';
import { spanMs } from './spans.ts';

export type RequestOf<Kind extends RunRequest['kind']> = Extract<RunRequest, { readonly kind: Kind }>;

/** Who looks names up. */
type Names = Pick<OneApi, 'networks' | 'users' | 'groups'>;

/** What the workflow is asked for when the API is asked for it. Throws SERVER_REQUEST_INVALID for an answer to no question, or a network, user or group of no such name. */
export async function restoreRequest(cloud: Names, request: RequestOf<'restore'>, options: CallOptions): Promise<RestoreRequest> {
  const { pointId, name, hold, method, imageDatastore, imageDatastores = {}, systemDatastore, nics, networks = {}, persistent, answers, verify } = request;
  return {
    pointId,
    name,
    hold,
    method,
    verify: verify ?? true,
    ...(imageDatastore !== undefined && { imageDatastore: datastoreId(imageDatastore) }),
    imageDatastores: new Map(Object.entries(imageDatastores).map(([disk, id]) => [Number(disk), datastoreId(id)])),
    ...(systemDatastore !== undefined && { systemDatastore: datastoreId(systemDatastore) }),
    ...(nics !== undefined && { nics }),
    networks: await networkChanges(cloud, Object.entries(networks), options),
    ...(persistent !== undefined && { persistent }),
    ...(answers !== undefined && { answers: answersOf(answers) }),
    ownership: await ownershipWish(cloud, request, options),
  };
}

async function ownershipWish(cloud: Names, { owner, group, asSaved, permissions }: RequestOf<'restore'>, options: CallOptions): Promise<OwnershipWish> {
  return {
    ...(asSaved !== undefined && { asSaved }),
    ...(owner !== undefined && { userId: await idOf('user', owner, () => cloud.users(options)) }),
    ...(group !== undefined && { groupId: await idOf('group', group, () => cloud.groups(options)) }),
    ...(permissions !== undefined && { permissions }),
  };
}

async function networkChanges(cloud: Names, wanted: readonly [string, string][], options: CallOptions): Promise<NetworkChange[]> {
  const known = wanted.every(([, to]) => IS_ID.test(to)) ? [] : await cloud.networks(options);
  return Promise.all(wanted.map(async ([from, to]) => ({ from, to: await idOf('network', to, async () => known) })));
}

/** Names are looked up only where there are any. */
async function idOf(what: string, text: string, known: () => Promise<readonly { readonly id: number; readonly name: string }[]>): Promise<number> {
  if (IS_ID.test(text)) return Number(text);
  const found = (await known()).filter(({ name }) => name === text);
  const [only] = found;
  if (only === undefined || found.length > 1) throw notOne(what, text, found.length);
  return only.id;
}

const IS_ID = /^\d{1,9}$/;

function answersOf(given: Readonly<Record<string, string>>): Partial<Answers> {
  const questions: ReadonlyMap<string, readonly string[]> = new Map(Object.entries(QUESTIONS));
  for (const [question, answer] of Object.entries(given))
    if (questions.get(question)?.includes(answer) !== true) throw unknownAnswer(question, answer, questions.get(question));
  return given;
}

/** `target`: the VM that the restore point is of. */
export function inPlaceRequest(request: RequestOf<'restore-in-place'>, target: VmId): InPlaceRequest {
  const { pointId, disks, keepUndo, delta, allowSnapshotLoss, verify } = request;
  return {
    pointId,
    vmId: target,
    ...(disks !== undefined && { disks }),
    keepUndoMs: spanMs(keepUndo),
    delta,
    verify: verify ?? true,
    allowSnapshotLoss: allowSnapshotLoss ?? false,
    otherVm: false,
    stop: stopOf(request),
  };
}

/** `ownVm`: the proxy VM of whoever does it, which cannot stop itself. */
export function undoRequest(request: RequestOf<'undo'>, ownVm: VmId | undefined): UndoRequest {
  const { set, keepUndo = '7d' } = request;
  return {
    vmId: vmId(request.vmId),
    ...(set !== undefined && { set }),
    keepUndoMs: spanMs(keepUndo),
    allowSnapshotLoss: false,
    stop: stopOf(request),
    ...(ownVm !== undefined && { ownVm }),
  };
}

/** As the CLI's own defaults. */
export function stopOf({ stopTimeout = '5m', hard = false }: { readonly stopTimeout?: string | undefined; readonly hard?: boolean | undefined }): {
  readonly gracefulMs: number;
  readonly hard: boolean;
} {
  return { gracefulMs: spanMs(stopTimeout), hard };
}
