import type { vmSchemas } from '@onevault/api';
import type { CallOptions } from '@onevault/base';
import type { Vm } from '@onevault/one-client';
import {
  type DiskSnapshot,
  planDelete,
  planRevert,
  readSnapshots,
  type SelectedSnapshots,
  type SnapshotRefusal,
  type SnapshotSet,
} from '@onevault/orchestrator';
import type { z } from 'zod';
import type { LiveAccess } from './live-access.ts';

type SetAnswer = z.output<typeof vmSchemas.snapshotSet>;

const MIB = 1024 * 1024;
/** What `snapshot-revert` does when nobody says more. */
const PLAIN = { allowBranch: false, dropYounger: false };

/** Snapshots of a VM, ours as sets, everybody else's each by itself; newest first. */
export async function listSnapshotSets(access: LiveAccess, vmId: number, options: CallOptions): Promise<SetAnswer[]> {
  const vm = await access.vm(vmId, options);
  const version = await access.askCloud((cloud, call) => cloud.version(call), options);
  return snapshotSets(vm, version, await access.proxyVm());
}

/** Pure. */
function snapshotSets(vm: Vm, version: string, proxyVm: number | undefined): SetAnswer[] {
  const { sets, others } = readSnapshots(vm);
  const answers = [
    ...sets.map((set) => answerOf({ vm, version, proxyVm }, { name: set.name, set, members: set.members, missing: set.missing }, ofSet(set))),
    ...others.map((other) =>
      answerOf(
        { vm, version, proxyVm },
        { name: other.snapshot.name ?? '', set: undefined, members: [other], missing: [] },
        { reference: `${other.disk.diskId}:${other.snapshot.id}`, origin: other.origin, createdAt: new Date(other.snapshot.date * 1000) },
      ),
    ),
  ];
  return answers.sort((a, b) => b.createdAt.localeCompare(a.createdAt));
}

interface Facts {
  readonly setId?: string;
  readonly reference: string;
  readonly origin: DiskSnapshot['origin'];
  readonly createdAt: Date;
}

function ofSet({ setId, createdAt }: SnapshotSet): Facts {
  return { setId, reference: setId, origin: 'set', createdAt };
}

interface Scene {
  readonly vm: Vm;
  readonly version: string;
  readonly proxyVm: number | undefined;
}

function answerOf({ vm, version, proxyVm }: Scene, selected: SelectedSnapshots, { createdAt, ...facts }: Facts): SetAnswer {
  const ours = facts.origin === 'set';
  const revert = ours ? planRevert(vm, version, selected, PLAIN, proxyVm).refusals : [notOurs(facts.origin)];
  const remove = ours ? planDelete(vm, selected.members).refusals : [notOurs(facts.origin)];
  return {
    ...facts,
    name: selected.name,
    createdAt: createdAt.toISOString(),
    ours,
    disks: selected.members.map(({ disk, snapshot }) => ({
      diskId: disk.diskId,
      snapshotId: snapshot.id,
      active: snapshot.active,
      sizeBytes: snapshot.sizeMiB * MIB,
      ...(snapshot.parent >= 0 && { parent: snapshot.parent }),
    })),
    missingDisks: [...selected.missing],
    canRevert: revert.length === 0,
    canDelete: remove.length === 0,
    revertRefusals: [...revert],
    deleteRefusals: [...remove],
    reasons: unique([...revert, ...remove]),
  };
}

/** Through the API nothing is done to what is not ours: the CLI beside the cloud has --foreign for that. */
function notOurs(origin: DiskSnapshot['origin']): SnapshotRefusal {
  return origin === 'backup'
    ? { code: 'SNAPSHOT_OF_BACKUP', text: 'it belongs to a backup', remedy: 'the backup takes it away; when it died, the next run does' }
    : {
        code: 'SNAPSHOT_FOREIGN',
        text: 'it is not ours: taken by hand or by another program',
        remedy: 'use what took it, or onevault snapshot delete --foreign beside the cloud',
      };
}

function unique(refusals: readonly SnapshotRefusal[]): { code: string; text: string }[] {
  return [...new Map(refusals.map(({ code, text }) => [`${code} ${text}`, { code, text }])).values()];
}
