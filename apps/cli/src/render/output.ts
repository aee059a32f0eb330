import { printable } from './table.ts';

/** Where text goes; a WriteStream of the process, or a recorder in a test. */
export interface TextStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export type OutputMode = 'text' | 'json' | 'jsonl';

/** Every JSON document and every JSON line carries it; fields are added within a version, never renamed or removed. */
export const SCHEMA_VERSION = 1;

export interface OutputOptions {
  readonly mode: OutputMode;
  /** Nothing but results, warnings and errors. */
  readonly quiet: boolean;
  /** 0, 1 (-v) or 2 (-v -v). */
  readonly verbosity: number;
  readonly progress: boolean;
  readonly color: boolean;
}

/**
 * The two streams of the command: results on stdout, what happens on the way on stderr. In the JSON modes stdout carries JSON and nothing else.
 */
export interface Output extends OutputOptions {
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  /** A result for people; nothing in the JSON modes. */
  line(text?: string): void;
  /** What happens on the way, for people. */
  note(text: string): void;
  warn(text: string): void;
  /** A result for programs; nothing in text mode. */
  document(type: string, body: object): void;
}

export function createOutput(streams: { readonly stdout: TextStream; readonly stderr: TextStream }, options: OutputOptions): Output {
  const text = options.mode === 'text';
  return {
    ...streams,
    ...options,
    line(line = '') {
      if (text) streams.stdout.write(`${line}\n`);
    },
    note(line) {
      if (text && !options.quiet) streams.stderr.write(`${line}\n`);
    },
    warn(line) {
      if (text) streams.stderr.write(`${warningText(line, options.color)}\n`);
    },
    document(type, body) {
      if (!text) streams.stdout.write(`${JSON.stringify({ schemaVersion: SCHEMA_VERSION, type, ...body })}\n`);
    },
  };
}

export function warningText(text: string, color: boolean): string {
  return `${paint('warning:', 'yellow', color)} ${printable(text)}`;
}

const COLORS = { red: 31, green: 32, yellow: 33, bold: 1, dim: 2 } as const;

/** Colour only ever repeats what the words say. */
export function paint(text: string, color: keyof typeof COLORS, enabled: boolean): string {
  return enabled ? `\u001b[${COLORS[color]}m${text}\u001b[0m` : text;
}
