import type { Clock, Logger } from '@onevault/base';
import type { Composition } from '@onevault/composition';
import type { ExitCode } from './exit.ts';
import type { RemoteWork } from './remote/remote-context.ts';
import type { Output } from './render/output.ts';
import type { Settings, Surroundings } from './settings.ts';
import type { Signals } from './signals.ts';

/** Everything a command gets; nothing else of the process reaches it. */
export interface CommandContext {
  readonly settings: Settings;
  readonly around: Surroundings;
  readonly output: Output;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  readonly onHangUp: Signals['onHangUp'];
  readonly onLeave: Signals['onLeave'];
  readonly compose: Composition;
}

/** A command's work: what it answers is the exit code. */
export type CommandWork = (context: CommandContext) => Promise<ExitCode>;

/** Where in the tree of commands it is. */
export interface NamedCommand {
  name(): string;
  readonly parent: NamedCommand | null;
}

/**
 * Runs a command's work with a context made from the global flags; program.ts provides it. Where a server is named, `remote` does it instead; a command without one cannot be
 * done through a server, and one that is `here` has nothing to do with servers.
 */
export type RunCommand = (command: NamedCommand & { optsWithGlobals(): unknown }, work: CommandWork, remote?: RemoteWork | 'here') => Promise<void>;
