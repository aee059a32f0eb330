import type { CallOptions } from '@onevault/base';

/** Runs a command of the operator's where we run. */
export interface ProbePort {
  /** Ends it after `timeoutMs` and when the signal aborts; resolves once it has ended. Rejects only when it cannot be started at all. */
  run(command: ProbeCommand, options?: CallOptions): Promise<ProbeEnd>;
}

export interface ProbeCommand {
  /** Program and arguments, without a shell. */
  readonly argv: readonly string[];
  /** Added to the environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

export interface ProbeEnd {
  /** Undefined: it was ended. */
  readonly exitCode: number | undefined;
  /** The end of what it printed on either stream, at most 2000 characters. */
  readonly output: string;
}
