import type { RevealedDigest } from './digest.ts';

/** How the memory shared with the workers is cut: slots of one extent each, followed by the digests of its blocks. */
export interface SlotLayout {
  readonly slotCount: number;
  readonly extentBytes: number;
  readonly digestAreaBytes: number;
}

/** Given to a worker when it starts. */
export interface WorkerSetup {
  readonly memory: SharedArrayBuffer;
  readonly layout: SlotLayout;
  readonly fd: number;
  readonly direct: boolean;
  readonly blockSizeBytes: number;
  readonly digest: RevealedDigest;
}

/** Read this range into that slot and digest its blocks. A slot has one job at a time, so its number names the job. */
export interface ReadJob {
  readonly slot: number;
  readonly offset: number;
  readonly length: number;
}

export type WorkerOrder = ReadJob | 'stop';

/** An error's own fields do not survive the crossing between threads; these do. */
export interface ReadFault {
  readonly offset: number;
  readonly length: number;
  /** Absent: the device ended before the range did. */
  readonly error?: { readonly message: string; readonly code: string; readonly errno: number | undefined; readonly syscall: string | undefined };
}

export interface WorkerReport {
  readonly slot: number;
  readonly fault?: ReadFault;
}

export function slotStart(layout: SlotLayout, slot: number): number {
  return slot * (layout.extentBytes + layout.digestAreaBytes);
}

export function digestStart(layout: SlotLayout, slot: number): number {
  return slotStart(layout, slot) + layout.extentBytes;
}
