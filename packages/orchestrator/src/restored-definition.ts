import type { NewDisk } from './definition/definition-request.ts';
import { type Definition, newDefinition } from './definition/new-definition.ts';
import type { RestoreRequest } from './request.ts';
import type { RestorePlan } from './restore-plan.ts';

/** What the definition says of the run that makes the VM. */
export interface DefinitionOf {
  /** Of the template, or of the VM where there is none. */
  readonly name: string;
  readonly marks: Readonly<Record<string, string>>;
  /** The image of each disk: its id, or its name while it is not made. */
  readonly imageOf: (diskId: number) => number | string | undefined;
}

/** The definition of the VM that a plan makes; the same whether it is carried out or only shown. */
export function restoredDefinition(plan: RestorePlan, request: RestoreRequest, { name, marks, imageOf }: DefinitionOf): Definition {
  const disks: NewDisk[] = [
    ...plan.images.flatMap(({ spec: { diskId } }) => withImage(diskId, imageOf(diskId))),
    ...plan.cdroms.flatMap(({ diskId, imageId }) => withImage(diskId, imageId)),
    ...plan.volatile.map((disk) => ({ diskId: disk.diskId, volatile: { sizeMiB: disk.sizeMiB, type: disk.type, format: disk.format } })),
  ];
  return newDefinition(plan.saved, {
    name,
    disks,
    nics: plan.nics,
    networks: plan.networks,
    facts: plan.facts,
    ...(request.answers && { answers: request.answers }),
    ...(request.attributes && { attributes: request.attributes }),
    systemDatastore: request.systemDatastore,
    marks,
    savedVersion: plan.savedVersion,
    targetVersion: plan.targetVersion,
  });
}

function withImage(diskId: number, imageId: number | string | undefined): NewDisk[] {
  return imageId === undefined ? [] : [{ diskId, imageId }];
}

/** The same of a VM that is not made yet: images go by their names, the run by none. */
export function previewDefinition(plan: RestorePlan, request: RestoreRequest): Definition {
  return restoredDefinition(plan, request, {
    name: request.name,
    marks: {},
    imageOf: (id) => plan.images.find(({ spec }) => spec.diskId === id)?.spec.name,
  });
}
