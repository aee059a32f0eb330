import type { Datastore } from '@onevault/one-client';
import { type CaptureFacts, orphanMode } from './capture-facts.ts';
import { type CaptureVerdict, chooseCapture } from './choose-capture.ts';
import type { CaptureMethod, Consistency, GuestPause, ReasonCode } from './plan-model.ts';
import { RESTING_STATES, type RestingState } from './resting-state.ts';

/** What is known of an image datastore that decides how its disks are captured. */
export interface DatastoreTraits {
  /** Of OpenNebula. */
  readonly version: string;
  /** TM_MAD. */
  readonly driver: string;
  /** TM_MAD of the VMs' system datastore, when it is another. */
  readonly systemDriver?: string;
  /** As the datastore has it: YES, NO, FORMAT, MIXED, LINEAR. */
  readonly allowOrphans?: string;
  readonly thin?: boolean;
  /** The formats its images can have. */
  readonly formats: readonly string[];
  /** Whether the VM has a channel for a guest agent. */
  readonly guestAgent?: boolean;
}

export interface CaptureCell {
  readonly method: CaptureMethod | 'refuse';
  /** Absent where it is refused. */
  readonly consistency?: Consistency;
  readonly pause: GuestPause;
  readonly degraded: boolean;
  readonly codes: readonly ReasonCode[];
  readonly remedy?: string;
}

/** One kind of disk: how it is captured in each state, by `--capture auto`. */
export interface CaptureMatrixRow {
  readonly format: string;
  readonly persistent: boolean;
  readonly states: Readonly<Record<RestingState, CaptureCell>>;
}

export function traitsOf(datastore: Datastore, version: string): DatastoreTraits {
  const text = (name: string): string | undefined => {
    const value = datastore.template[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const driver = datastore.tmMad;
  const forced = text('DRIVER');
  const allowOrphans = text('ALLOW_ORPHANS');
  return {
    version,
    driver,
    ...(allowOrphans !== undefined && { allowOrphans }),
    thin: text('LVM_THIN_ENABLE')?.toUpperCase() === 'YES',
    formats: forced !== undefined ? [forced] : FILE_DRIVERS.has(driver) ? ['qcow2', 'raw'] : ['raw'],
  };
}

const FILE_DRIVERS: ReadonlySet<string> = new Set(['qcow2', 'shared', 'local', 'ssh']);

/** How disks of a datastore are captured, for disks without snapshots of VMs without native incremental backup. Pure. */
export function captureMatrix(traits: DatastoreTraits): CaptureMatrixRow[] {
  return traits.formats.flatMap((format) =>
    [false, true].map((persistent) => ({
      format,
      persistent,
      states: byState((state) => cellOf(chooseCapture(factsOf(traits, { format, persistent, state }), AUTO))),
    })),
  );
}

const AUTO = { capture: 'auto', allowLongFreeze: false } as const;

function byState(cell: (state: RestingState) => CaptureCell): Record<RestingState, CaptureCell> {
  const [running, poweroff, suspended, stopped, undeployed] = RESTING_STATES;
  return {
    [running]: cell(running),
    [poweroff]: cell(poweroff),
    [suspended]: cell(suspended),
    [stopped]: cell(stopped),
    [undeployed]: cell(undeployed),
  };
}

/** The facts of a plain disk with these traits. */
export function factsOf(traits: DatastoreTraits, disk: Pick<CaptureFacts, 'format' | 'persistent' | 'state'>): CaptureFacts {
  return {
    version: traits.version,
    driver: traits.driver,
    systemDriver: traits.systemDriver,
    readonly: false,
    thin: traits.thin === true,
    orphans: orphanMode(traits.allowOrphans, disk.format),
    snapshots: { listed: false, count: 0, next: 0, branches: false, idIsShared: false, failedBefore: false },
    nativeIncremental: false,
    guestAgent: traits.guestAgent === true,
    ...disk,
  };
}

export function cellOf(verdict: CaptureVerdict): CaptureCell {
  const reasons = 'refused' in verdict ? verdict.refused : verdict.reasons;
  const remedy = reasons.find((entry) => entry.remedy !== undefined)?.remedy;
  return {
    method: 'refused' in verdict ? 'refuse' : verdict.method,
    ...('refused' in verdict ? {} : { consistency: verdict.consistency }),
    pause: 'refused' in verdict ? 'none' : verdict.pause,
    degraded: 'refused' in verdict || verdict.degraded,
    codes: reasons.map((entry) => entry.code),
    ...(remedy !== undefined && { remedy }),
  };
}
