import type { Writable } from 'node:stream';
import { type PlaceFlags, type Settings as PlaceSettings, resolveSettings as placeSettings } from '@onevault/composition';
import { usageError } from './errors.ts';
import { resolveServer, type ServerFlags, type ServerSettings } from './remote/server-settings.ts';
import type { OutputOptions } from './render/output.ts';

/** What the flags say, as commander collects them; every one may be absent. */
export interface GlobalFlags extends PlaceFlags, ServerFlags {
  readonly json?: boolean;
  readonly jsonl?: boolean;
  readonly progress?: boolean;
  readonly color?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: number;
}

/** Where the command runs; injected so that a test needs no process. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly isRoot: boolean;
  readonly stderrIsTerminal: boolean;
  readonly stdoutIsTerminal: boolean;
  /** For questions on a terminal; without it nobody is asked. */
  readonly stdin?: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly hostname?: string;
  /** For the bytes of an export. */
  readonly stdout?: Writable;
}

/** Parsed once at the edge; nothing behind it reads the environment. */
export interface Settings extends PlaceSettings {
  /** Who does the work instead of this process; undefined: this process. */
  readonly server: ServerSettings | undefined;
  readonly output: OutputOptions;
}

/** Flag before environment before default. */
export function resolveSettings(flags: GlobalFlags, around: Surroundings): Settings {
  return { ...placeSettings(flags, around), server: resolveServer(flags, around), output: resolveOutput(flags, around) };
}

function resolveOutput(flags: GlobalFlags, around: Surroundings): OutputOptions {
  if (flags.json === true && flags.jsonl === true)
    throw usageError('--json and --jsonl exclude each other', '--json prints one document at the end, --jsonl a line for every event');
  const mode = flags.jsonl === true ? 'jsonl' : flags.json === true ? 'json' : 'text';
  const quiet = flags.quiet ?? false;
  return {
    mode,
    quiet,
    verbosity: flags.verbose ?? 0,
    progress: mode === 'text' && !quiet && flags.progress !== false,
    // https://no-color.org: any value that is not empty.
    color:
      mode === 'text' &&
      flags.color !== false &&
      (around.env['NO_COLOR'] ?? '') === '' &&
      around.env['TERM'] !== 'dumb' &&
      around.stderrIsTerminal &&
      around.stdoutIsTerminal,
  };
}
