import type { CallOptions } from '@onevault/base';
import type { Datastore } from '@onevault/one-client';
import { QUESTIONS, type Question } from './definition/attribute-rule.ts';
import type { DefinitionChange } from './definition/definition-change.ts';
import type { LookDeps } from './ports.ts';
import type { RestoreRequest } from './request.ts';
import { checkRestore, type RestoreChecks } from './restore-checks/check-restore.ts';
import { planRestore, type RestoreNote, type RestorePlan } from './restore-plan.ts';
import { previewDefinition } from './restored-definition.ts';

/** Something a restore would create. */
export interface PreviewObject {
  readonly kind: 'image' | 'template' | 'vm';
  readonly name: string;
  /** Of the saved VM, for images. */
  readonly diskId?: number;
  readonly sizeMiB?: number;
  readonly datastoreId?: number;
  readonly datastoreName?: string;
  /** What it is, in words: `OS, written (direct), persistent`; `DATABLOCK, empty, ext4`. */
  readonly what: string;
  /** It is gone when the restore is over. */
  readonly temporary: boolean;
}

/** A decision the definition leaves to the user, and what is decided now. */
export interface PreviewQuestion {
  readonly question: Question;
  readonly answer: string;
  readonly choices: readonly string[];
}

/** A restore that was thought through and not carried out. */
export interface RestorePreview {
  readonly kind: 'restore-preview';
  readonly pointId: string;
  readonly vmName: string;
  readonly saved: { readonly vmId: number; readonly name: string; readonly version: string | undefined };
  readonly targetVersion: string;
  readonly objects: readonly PreviewObject[];
  /** The definition, saved against created. */
  readonly changes: readonly DefinitionChange[];
  readonly questions: readonly PreviewQuestion[];
  readonly checks: RestoreChecks;
  readonly notes: readonly RestoreNote[];
}

/** Everything `restoreVm` would do with this request, and whether it could. Makes no call that changes anything. */
export async function previewRestore(deps: LookDeps, request: RestoreRequest, options: CallOptions = {}): Promise<RestorePreview> {
  const plan = await planRestore(deps, request, options);
  const { changes } = previewDefinition(plan, request);
  return {
    kind: 'restore-preview',
    pointId: plan.point.id,
    vmName: request.name,
    saved: { vmId: plan.saved.id, name: plan.saved.name, version: plan.savedVersion },
    targetVersion: plan.targetVersion,
    objects: objectsOf(plan, request, await deps.cloud.datastores(options)),
    changes,
    questions: questionsOf(changes, request),
    checks: await checkRestore(deps, plan, request, options),
    notes: plan.notes,
  };
}

function objectsOf(plan: RestorePlan, request: RestoreRequest, datastores: readonly Datastore[]): PreviewObject[] {
  const images = plan.images.map(({ spec, source }): PreviewObject => {
    const datastore = datastores.find(({ id }) => id === spec.datastore);
    const content = source === undefined ? `empty${spec.fs ? `, ${spec.fs}` : ''}` : `written (${spec.method})`;
    return {
      kind: 'image',
      name: spec.name,
      diskId: spec.diskId,
      sizeMiB: spec.sizeMiB,
      datastoreId: spec.datastore,
      ...(datastore !== undefined && { datastoreName: datastore.name }),
      what: `${spec.type}, ${content}${spec.persistent ? ', persistent' : ''}`,
      temporary: false,
    };
  });
  const staging = plan.images.flatMap(({ spec, source }): PreviewObject[] => {
    if (source === undefined || spec.method !== 'saveas') return [];
    const what = 'empty; written, then saved as the disk';
    return [
      {
        kind: 'image',
        name: `of the run, disk ${spec.diskId}`,
        diskId: spec.diskId,
        sizeMiB: spec.sizeMiB,
        datastoreId: spec.datastore,
        what,
        temporary: true,
      },
    ];
  });
  const system = datastores.find(({ id }) => id === request.systemDatastore);
  const place =
    request.systemDatastore === undefined ? {} : { datastoreId: request.systemDatastore, ...(system !== undefined && { datastoreName: system.name }) };
  const volatile = plan.volatile.reduce((sum, disk) => sum + disk.sizeMiB, 0);
  const vm = `${request.hold ? 'in HOLD' : 'RUNNING'}${volatile > 0 ? `, ${volatile} MiB volatile` : ''}`;
  return [
    ...images,
    ...staging,
    { kind: 'template', name: 'of the run', what: 'the VM is made from it', temporary: true },
    { kind: 'vm', name: request.name, ...place, what: vm, temporary: false },
  ];
}

/** Which question a code belongs to. */
const ASKED_BY: Readonly<Record<string, Question>> = {
  UUID_KEPT: 'uuid',
  UUID_NEW: 'uuid',
  PCI_SAME_KIND: 'pci',
  PCI_SAME_ADDRESS: 'pci',
  PCI_NONE: 'pci',
  SCHED_ACTIONS_DROPPED: 'sched-actions',
};

function questionsOf(changes: readonly DefinitionChange[], { answers }: RestoreRequest): PreviewQuestion[] {
  const asked = new Set(changes.flatMap(({ code }) => ASKED_BY[code] ?? []));
  return [...asked].map((question) => ({ question, answer: answers?.[question] ?? QUESTIONS[question][0], choices: QUESTIONS[question] }));
}
