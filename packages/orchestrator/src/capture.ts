import type { CallOptions } from '@onevault/base';
import type { SnapshotId, Vm } from '@onevault/one-client';
import { diskId, imageId, snapshotId } from '@onevault/one-client';
import { type AttachedDisk, newSerial } from '@onevault/proxy-attach';
import { awaitSnapshot, requestSnapshot } from './cloud/disk-snapshot.ts';
import { awaitSavedImage, requestSaveAs } from './cloud/image.ts';
import { JobError } from './errors.ts';
import { captureName } from './names.ts';
import type { DiskCapture } from './plan-model.ts';
import type { JobDeps } from './ports.ts';
import type { Owned, Run } from './run.ts';

/** A disk whose state is fixed, or that will be copied as it is. */
export interface CapturedDisk {
  readonly capture: DiskCapture;
  readonly snapshot: Owned | undefined;
  /** When the snapshot was asked for; a live copy is of the end of its copy. */
  readonly capturedAt: Date;
}

/** A captured disk, readable in the proxy at `attached.devicePath`. */
export interface ExportedDisk {
  readonly capture: DiskCapture;
  readonly image: Owned;
  readonly attachment: Owned;
  readonly attached: AttachedDisk;
  readonly capturedAt: Date;
}

const MIB = 1024 * 1024;

/** All snapshots back to back, before any copy: the disks of one VM should be of one moment. */
export async function captureDisks(run: Run, vm: Vm, captures: readonly DiskCapture[], options: CallOptions): Promise<CapturedDisk[]> {
  const captured: CapturedDisk[] = [];
  for (const capture of captures) {
    const capturedAt = run.clock.now();
    captured.push({ capture, capturedAt, snapshot: capture.method === 'snapshot' ? await takeSnapshot(run, vm, capture, options) : undefined });
  }
  return captured;
}

function takeSnapshot(run: Run, vm: Vm, capture: DiskCapture, options: CallOptions): Promise<Owned> {
  const { disk } = capture;
  const name = captureName(run.id, vm.id, disk.diskId);
  return run.step('snapshot', { diskId: disk.diskId, object: name }, () =>
    run.create(
      { kind: 'snapshot', vmId: vm.id, diskId: disk.diskId, name },
      () => requestSnapshot(run.cloud, vm.id, disk.diskId, name, options),
      (id) => awaitSnapshot(run.cloud, vm, diskId(disk.diskId), snapshotId(id), options),
    ),
  );
}

/**
 * Brings captured disks to the proxy, one after another: OpenNebula does one thing at a time with a VM. A consumer that reads several at once
 * overlaps reading with the next export. A snapshot goes as soon as its copy is proven readable: the guest carries it no longer than it must.
 */
export async function* exportDisks(
  deps: JobDeps,
  run: Run,
  vm: Vm,
  captured: readonly CapturedDisk[],
  options: CallOptions,
): AsyncGenerator<ExportedDisk, void> {
  for (const disk of captured) {
    options.signal?.throwIfAborted();
    const image = await saveAsImage(run, vm, disk, options);
    const attachment = await attachToProxy(deps, run, disk.capture, image, options);
    await proveReadable(deps, attachment.attached, options);
    await disk.snapshot?.undo();
    yield { capture: disk.capture, image, ...attachment, capturedAt: disk.capture.method === 'live-copy' ? run.clock.now() : disk.capturedAt };
  }
}

function saveAsImage(run: Run, vm: Vm, captured: CapturedDisk, options: CallOptions): Promise<Owned> {
  const { disk } = captured.capture;
  const name = captureName(run.id, vm.id, disk.diskId);
  const snapshot: SnapshotId | undefined = captured.snapshot && snapshotId(captured.snapshot.id);
  return run.step('export', { diskId: disk.diskId, object: name }, () =>
    run.create(
      { kind: 'image', name },
      () => requestSaveAs(run.cloud, vm, disk, name, snapshot, options),
      async (id) => void (await awaitSavedImage(run.cloud, vm, disk, imageId(id), options)),
    ),
  );
}

function attachToProxy(
  deps: JobDeps,
  run: Run,
  capture: DiskCapture,
  image: Owned,
  options: CallOptions,
): Promise<{ attachment: Owned; attached: AttachedDisk }> {
  const request = { imageId: image.id, sizeBytes: capture.disk.sizeMiB * MIB, serial: newSerial(deps.randomBytes), readOnly: true };
  return run.step('attach', { diskId: capture.disk.diskId, object: request.serial }, async () => {
    let attached: AttachedDisk | undefined;
    const attachment = await run.create({ kind: 'attachment', proxyVmId: deps.proxyVm, imageId: image.id, serial: request.serial }, async () => {
      attached = await deps.attacher.attach(request, options);
      return attached.diskId;
    });
    return { attachment, attached: attached as AttachedDisk };
  });
}

const PROBE_BYTES = 4096;

/** An image can be READY and still be unreadable (M.1): the device must have the size it says, and give its first and last bytes. */
async function proveReadable(deps: JobDeps, attached: AttachedDisk, options: CallOptions): Promise<void> {
  await using device = await deps.devices.open(attached.devicePath, options);
  if (device.sizeBytes !== attached.sizeBytes) {
    throw new JobError({
      code: 'JOB_DEVICE_MISMATCH',
      message: `${attached.devicePath} (serial ${attached.serial}) has ${device.sizeBytes} bytes where ${attached.sizeBytes} were attached`,
      details: { devicePath: attached.devicePath, sizeBytes: device.sizeBytes, expectedBytes: attached.sizeBytes },
    });
  }
  const length = Math.min(PROBE_BYTES, device.sizeBytes);
  const probe = new Uint8Array(length);
  await device.readInto(0, probe, options);
  await device.readInto(device.sizeBytes - length, probe, options);
}
