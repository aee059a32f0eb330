import type { SerializedError } from '@onevault/base';
import type { DatastoreId } from '@onevault/one-client';
import type { JobDeps } from '../ports.ts';
import type { ConsolePort } from './console-port.ts';
import type { ProbePort } from './probe-port.ts';

/**
 * How a restored guest shows that it lives, weakest first. `running`: OpenNebula says RUNNING for so long without a break, which a guest that hangs in its boot
 * loader does too. `guest-agent`: hosts ask it when they measure (MONITORING of the VM). `onegate-ready`: the guest itself says READY=YES to OneGate.
 * `console`: a line on its first serial port matches. `probe`: a command of the operator's succeeds.
 */
export type SignOfLife =
  | { readonly kind: 'running'; readonly seconds: number }
  | { readonly kind: 'guest-agent' }
  | { readonly kind: 'onegate-ready' }
  /** A regular expression without flags. */
  | { readonly kind: 'console'; readonly pattern: string }
  /** Tried again until it exits with 0. */
  | { readonly kind: 'probe'; readonly argv: readonly string[] };

export interface DrillRequest {
  readonly pointId: string;
  /** At least one. */
  readonly signs: readonly SignOfLife[];
  /** Whether one of them is enough. */
  readonly need: 'all' | 'any';
  /** From RUNNING on. */
  readonly limitMs: number;
  /** `none`: no card at all. A network id: every card goes there, with an address of that network. */
  readonly network: 'none' | number;
  /** RAW data that may connect the guest to something (interfaces, host devices, qemu arguments) is no reason to refuse. */
  readonly allowRaw?: boolean;
  readonly imageDatastore?: DatastoreId;
  readonly systemDatastore?: DatastoreId;
  /** Reads every restored disk back as well. */
  readonly verify: boolean;
  readonly parallelDisks?: number;
  readonly scanWorkers?: number;
}

/** What a drill needs besides what a restore does; the ports only where their sign is asked for. */
export interface DrillDeps extends JobDeps {
  readonly consoles?: ConsolePort;
  readonly probes?: ProbePort;
}

export interface SignReport {
  readonly kind: SignOfLife['kind'];
  readonly seen: boolean;
  /** From RUNNING on. */
  readonly afterMs: number | undefined;
  /** What was seen, or what was seen instead: a line, an answer, the end of an output; at most 2000 characters. */
  readonly evidence: string;
}

export type DrillStage = 'plan' | 'restore' | 'boot' | 'life';

export interface DrillFailure {
  /** How far it came. */
  readonly stage: DrillStage;
  readonly error: SerializedError;
}

/** Durations in ms; undefined for what it did not come to. */
export interface DrillMeasures {
  readonly writeMs: number | undefined;
  readonly bootMs: number | undefined;
  readonly lifeMs: number | undefined;
  /** From the first call to the last sign of life that was needed: what a restore in earnest would take. */
  readonly rtoMs: number | undefined;
  readonly restoredBytes: number;
  readonly writtenBytes: number;
}

export interface DrillReport {
  readonly kind: 'drill';
  readonly runId: string;
  readonly pointId: string;
  readonly group: string;
  /** Of the VM that was backed up. */
  readonly sourceVmId: number | undefined;
  readonly vmName: string;
  readonly outcome: 'passed' | 'failed';
  readonly failure: DrillFailure | undefined;
  readonly network: 'none' | number;
  readonly need: 'all' | 'any';
  readonly signs: readonly SignReport[];
  readonly measures: DrillMeasures;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly durationMs: number;
  readonly notes: readonly { readonly code: string; readonly message: string }[];
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
  /** Of the record in the repository; undefined when it could not be written. */
  readonly recordId: string | undefined;
  readonly residue: readonly string[];
}
