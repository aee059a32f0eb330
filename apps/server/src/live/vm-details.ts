import type { vmSchemas } from '@onevault/api';
import type { CallOptions, Clock } from '@onevault/base';
import type { OneApi, Vm, VmId } from '@onevault/one-client';
import { type BackupPlan, type DiskPlan, planBackup, type Reason, readSurroundings, type Surroundings } from '@onevault/orchestrator';
import type { z } from 'zod';
import type { LiveVm, VmDetails } from '../ports/vm-detail.ts';
import type { LiveAccess } from './live-access.ts';

const MIB = 1024 * 1024;
/** Datastores, rights and quotas change more slowly than people click from VM to VM. */
const SURROUNDINGS_MS = 30_000;

/** What OpenNebula says of a VM now, and the plan of a backup. What the plan needs beside the VM is read once for some time. */
export class LiveVmDetails implements VmDetails {
  readonly #access: LiveAccess;
  readonly #clock: Clock;
  #known: { readonly atMs: number; readonly surroundings: Surroundings; readonly proxyVm: VmId | undefined } | undefined;

  constructor(access: LiveAccess, clock: Clock) {
    this.#access = access;
    this.#clock = clock;
  }

  async vmDetail(id: number, options: CallOptions = {}): Promise<LiveVm> {
    const vm = await this.#access.vm(id, options);
    const { surroundings, proxyVm } = await this.#surroundings(options);
    const request = { capture: 'auto', excludeDisks: [], ...(proxyVm !== undefined && { proxyVm }) } as const;
    return liveVm(vm, planBackup(vm, request, surroundings));
  }

  async #surroundings(options: CallOptions) {
    const nowMs = this.#clock.monotonicMs();
    if (this.#known !== undefined && nowMs - this.#known.atMs < SURROUNDINGS_MS) return this.#known;
    const proxyVm = await this.#access.proxyVm();
    const read = (cloud: OneApi, call: CallOptions): Promise<Surroundings> => readSurroundings(cloud, proxyVm, call);
    const known = { atMs: nowMs, proxyVm, surroundings: await this.#access.askCloud(read, options) };
    this.#known = known;
    return known;
  }
}

function liveVm(vm: Vm, plan: BackupPlan): LiveVm {
  const hypervisor = vm.history.at(-1)?.vmMad;
  return {
    ...(hypervisor !== undefined && { hypervisor }),
    ...(vm.uuid !== undefined && { uuid: vm.uuid }),
    ...(vm.lockLevel !== undefined && { lockLevel: vm.lockLevel }),
    startedAt: new Date(vm.startTime * 1000).toISOString(),
    ...(vm.error !== undefined && { error: vm.error }),
    disks: plan.disks.map((disk) => diskOf(vm, disk)),
    verdict: plan.verdict,
    reasons: [...plan.reasons, ...plan.notes, ...plan.assumptions].map(reasonOf),
  };
}

function diskOf(vm: Vm, plan: DiskPlan): z.output<typeof vmSchemas.vmDisk> {
  const { disk } = plan;
  const { imageId, imageName, datastoreName, tmMad } = disk;
  const format = disk.format ?? disk.type;
  const snapshots = vm.snapshots.find((entry) => entry.diskId === disk.diskId)?.snapshots ?? [];
  return {
    diskId: disk.diskId,
    target: disk.target,
    sizeBytes: disk.sizeMiB * MIB,
    ...(imageId !== undefined && { imageId }),
    ...(imageName !== undefined && { image: imageName }),
    ...(datastoreName !== undefined && { datastore: datastoreName }),
    ...(tmMad !== undefined && { driver: tmMad }),
    format,
    persistent: disk.persistent,
    snapshots: snapshots.map(({ id, name, active, date }) => ({
      id,
      ...(name !== undefined && { name }),
      active,
      createdAt: new Date(date * 1000).toISOString(),
    })),
    capture: captureOf(plan),
  };
}

function captureOf(plan: DiskPlan): z.output<typeof vmSchemas.vmDisk>['capture'] {
  const reasons = plan.reasons.map(reasonOf);
  switch (plan.verdict) {
    case 'capture':
      return { verdict: plan.degraded ? 'degraded' : 'ok', method: plan.method, reasons };
    case 'skip':
      return { verdict: 'skipped', reasons };
    case 'refuse':
      return { verdict: 'impossible', reasons };
  }
}

/** With what to change, where something can be. */
function reasonOf({ code, text, remedy }: Reason): { readonly code: string; readonly text: string } {
  return { code, text: remedy === undefined ? text : `${text}; ${remedy}` };
}
