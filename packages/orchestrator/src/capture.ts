import { type CallOptions, errorCode } from '@onevault/base';
import { imageId, snapshotId, type Vm } from '@onevault/one-client';
import { type Attachment, attachCopy } from './attachment.ts';
import { awaitSnapshot, requestSnapshot } from './cloud/disk-snapshot.ts';
import { awaitSavedImage, requestSaveAs } from './cloud/saved-image.ts';
import { captureName } from './names.ts';
import { fellBack } from './plan/choose-capture.ts';
import type { DiskCapture } from './plan/plan-model.ts';
import type { JobDeps } from './ports.ts';
import type { Owned, Run } from './run.ts';

/** A disk whose state is fixed, or that will be copied as it is. */
export interface CapturedDisk {
  readonly capture: DiskCapture;
  readonly snapshot: Owned | undefined;
  /** Of which moment its bytes are, as far as that is settled: a live copy is of the end of its copy. */
  readonly capturedAt: Date;
}

/** A captured disk, readable in the proxy. */
export interface ExportedDisk {
  readonly capture: DiskCapture;
  readonly image: Owned;
  readonly attachment: Attachment;
  readonly capturedAt: Date;
}

const MIB = 1024 * 1024;

/** All snapshots back to back, before any copy: the disks of one VM should be of one moment. */
export async function captureDisks(run: Run, vm: Vm, captures: readonly DiskCapture[], options: CallOptions): Promise<CapturedDisk[]> {
  const captured: CapturedDisk[] = [];
  for (const capture of captures) {
    captured.push(
      capture.method === 'snapshot' ? await snapshotOrFallback(run, vm, capture, options) : { capture, snapshot: undefined, capturedAt: run.clock.now() },
    );
  }
  return captured;
}

/** A snapshot that was accepted and then failed left nothing (it was looked for); where a live copy is as good, it takes its place (ADR 40). */
async function snapshotOrFallback(run: Run, vm: Vm, capture: DiskCapture, options: CallOptions): Promise<CapturedDisk> {
  try {
    return await takeSnapshot(run, vm, capture, options);
  } catch (error) {
    if (capture.fallback === undefined || errorCode(error) !== 'JOB_EFFECT_MISSING') throw error;
    const why = error instanceof Error ? error.message : String(error);
    run.warn('CAPTURE_FELL_BACK', `disk ${capture.disk.diskId} is copied live: ${why}`);
    return { capture: fellBack(capture, capture.fallback, why), snapshot: undefined, capturedAt: run.clock.now() };
  }
}

async function takeSnapshot(run: Run, vm: Vm, capture: DiskCapture, options: CallOptions): Promise<CapturedDisk> {
  const { disk } = capture;
  const name = captureName(run.id, vm.id, disk.diskId);
  let capturedAt = run.clock.now();
  const snapshot = await run.step('snapshot', { diskId: disk.diskId, object: name }, () =>
    run.create(
      { kind: 'snapshot', vmId: vm.id, diskId: disk.diskId, name, imageId: capture.imageId },
      (send) =>
        requestSnapshot(
          run.cloud,
          { vm, disk },
          name,
          (call) => {
            capturedAt = run.clock.now(); // the VM may have been busy for minutes before
            return send(call);
          },
          options,
        ),
      (id) => awaitSnapshot(run.cloud, { vm, disk }, snapshotId(id), options),
    ),
  );
  return { capture, snapshot, capturedAt: capture.moment === 'end' ? run.clock.now() : capturedAt };
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
    const copiedAt = run.clock.now();
    const { diskId, sizeMiB } = disk.capture.disk;
    const attachment = await attachCopy(deps, run, { diskId, image, sizeBytes: sizeMiB * MIB }, options);
    await disk.snapshot?.undo();
    yield { capture: disk.capture, image, attachment, capturedAt: disk.snapshot === undefined && disk.capture.moment === 'end' ? copiedAt : disk.capturedAt };
  }
}

function saveAsImage(run: Run, vm: Vm, captured: CapturedDisk, options: CallOptions): Promise<Owned> {
  const { disk } = captured.capture;
  const name = captureName(run.id, vm.id, disk.diskId);
  const snapshot = captured.snapshot && snapshotId(captured.snapshot.id);
  return run.step('export', { diskId: disk.diskId, object: name }, () =>
    run.create(
      { kind: 'image', name },
      (send) => requestSaveAs(run.cloud, { vm, disk }, name, snapshot, send, options),
      async (id) => void (await awaitSavedImage(run.cloud, { vm, disk, snapshot, imageId: imageId(id) }, options)),
    ),
  );
}
