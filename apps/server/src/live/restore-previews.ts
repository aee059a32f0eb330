import type { RunRequest, runSchemas } from '@onevault/api';
import type { CallOptions, Clock } from '@onevault/base';
import { pointVm } from '@onevault/composition';
import { vmId } from '@onevault/one-client';
import {
  DEFAULT_PATIENCE,
  type InPlacePlan,
  type LookDeps,
  planInPlace,
  planUndo,
  previewRestore,
  type RestorePreview,
  type SwapNote,
  type SwapRefusal,
  type UndoPlan,
} from '@onevault/orchestrator';
import type { z } from 'zod';
import type { Caller } from '../ports/call.ts';
import { pointOfNobody, wrongKind } from '../requests/request-errors.ts';
import { inPlaceRequest, type RequestOf, restoreRequest, undoRequest } from '../requests/restore-requests.ts';
import { cloudAs } from './cloud-as.ts';
import type { LiveAccess } from './live-access.ts';

type PreviewAnswer = z.output<typeof runSchemas.restorePreview>;

const MIB = 1024 * 1024;
/** Nobody waits at a form until a VM that is busy has become free. */
const PATIENCE = { ...DEFAULT_PATIENCE, busyMs: 2000 };

export interface PreviewDeps {
  readonly access: LiveAccess;
  readonly clock: Clock;
  readonly caller: Caller;
}

/** What a run of that request would make, change and be refused, judged as what becomes the caller's. Makes no call that changes anything. */
export async function restorePreview({ access, clock, caller }: PreviewDeps, request: RunRequest, options: CallOptions): Promise<PreviewAnswer> {
  switch (request.kind) {
    case 'restore':
      return asNew(
        await inRepository({ access, clock, caller }, request.repository, options, async (deps, call) =>
          previewRestore(deps, await restoreRequest(deps.cloud, request, call), call),
        ),
      );
    case 'restore-in-place':
      return asInPlace(await inRepository({ access, clock, caller }, request.repository, options, (deps, call) => inPlace(deps, request, call)));
    case 'undo': {
      const wish = undoRequest(request, await access.proxyVm());
      return asUndo(await access.askCloud((cloud, call) => planUndo({ cloud: cloudAs(cloud, caller), clock, patience: PATIENCE }, wish, call), options));
    }
    default:
      throw wrongKind(request.kind);
  }
}

/** In the lanes of both, the repository's outside: what hangs in one holds a place in the other, and no more. */
async function inRepository<T>(
  { access, clock, caller }: PreviewDeps,
  repository: string,
  options: CallOptions,
  work: (deps: LookDeps, call: CallOptions) => Promise<T>,
): Promise<T> {
  const proxyVm = await access.proxyVm();
  return access.askRepository(
    repository,
    (open, outer) =>
      access.askCloud((cloud, call) => work({ cloud: cloudAs(cloud, caller), repository: open, clock, proxyVm, patience: PATIENCE }, call), outer),
    options,
  );
}

async function inPlace(deps: LookDeps, request: RequestOf<'restore-in-place'>, call: CallOptions): Promise<InPlacePlan> {
  const point = await deps.repository.point(request.pointId, call);
  const { id } = pointVm(point);
  if (id === undefined) throw pointOfNobody(request.pointId);
  return planInPlace(deps, inPlaceRequest(request, vmId(id)), call);
}

function asNew({ objects, changes, questions, checks, notes }: RestorePreview): PreviewAnswer {
  return {
    objects: objects.map(({ kind, name, diskId, sizeMiB, datastoreName, what, temporary }) => ({
      kind,
      name,
      ...(diskId !== undefined && { diskId }),
      ...(sizeMiB !== undefined && { sizeBytes: sizeMiB * MIB }),
      ...(datastoreName !== undefined && { datastore: datastoreName }),
      what,
      temporary,
    })),
    definition: changes.map((change) => ({ ...change })),
    questions: questions.map(({ question, answer, choices }) => ({ question, answer, choices: [...choices] })),
    checks: checks.findings.map((finding) => ({ ...finding })),
    notes: notes.map(({ code, message }) => ({ code, text: message })),
    verdict: checks.verdict,
    possible: checks.verdict !== 'impossible',
  };
}

function asInPlace({ vm, disks, stops, refusals, notes }: InPlacePlan): PreviewAnswer {
  const objects = disks.map(({ disk, spec, method }) => ({
    kind: 'image',
    name: spec.name,
    diskId: Number(disk.diskId),
    sizeBytes: spec.sizeMiB * MIB,
    what: `in place of image ${disk.imageId} at ${disk.target}, written (${method})`,
    temporary: false,
  }));
  return swapAnswer(`VM ${vm.id} ${vm.name}`, objects, stops, refusals, notes);
}

function asUndo({ vm, disks, stops, refusals, notes }: UndoPlan): PreviewAnswer {
  const objects = disks.map(({ disk, undo }) => ({
    kind: 'image',
    name: undo.image.name,
    diskId: Number(disk.diskId),
    sizeBytes: undo.image.sizeMiB * MIB,
    what: `comes back at ${disk.target} in place of image ${disk.imageId}`,
    temporary: false,
  }));
  return swapAnswer(`VM ${vm.id} ${vm.name}`, objects, stops, refusals, notes);
}

function swapAnswer(
  what: string,
  objects: PreviewAnswer['objects'],
  stops: boolean,
  refusals: readonly SwapRefusal[],
  notes: readonly SwapNote[],
): PreviewAnswer {
  const checks = refusals.map(({ code, target, text, remedy }) => ({
    severity: 'error' as const,
    code,
    what: target === undefined ? what : `${what}, ${target}`,
    why: text,
    remedy,
  }));
  return {
    objects,
    definition: [],
    questions: [],
    checks,
    notes: notes.map(({ code, message }) => ({ code, text: message })),
    verdict: refusals.length === 0 ? 'possible' : 'impossible',
    possible: refusals.length === 0,
    stops,
  };
}
