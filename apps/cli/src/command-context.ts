import type { Clock, Logger } from '@onevault/base';
import type { Composition } from '@onevault/composition';
import type { ExitCode } from './exit.ts';
import type { Output } from './render/output.ts';
import type { Settings, Surroundings } from './settings.ts';

/** Everything a command gets; nothing else of the process reaches it. */
export interface CommandContext {
  readonly settings: Settings;
  readonly around: Surroundings;
  readonly output: Output;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  readonly compose: Composition;
}

/** A command's work: what it answers is the exit code. */
export type CommandWork = (context: CommandContext) => Promise<ExitCode>;

/** Runs a command's work with a context made from the global flags; program.ts provides it. */
export type RunCommand = (command: { optsWithGlobals(): unknown }, work: CommandWork) => Promise<void>;
