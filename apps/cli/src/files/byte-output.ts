import { open, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { errorCode, isBaseError } from '@onevault/base';
import type { CommandContext } from '../command-context.ts';
import { CliError, usageError } from '../errors.ts';

type Bytes = AsyncIterable<Uint8Array>;
type Where = Pick<CommandContext, 'around' | 'output' | 'signal'>;

/** Bytes to standard output; on a terminal as text without what a terminal would act on. */
export async function toStdout({ around, output, signal }: Where, source: Bytes): Promise<void> {
  if (!around.stdout) throw usageError('there is no stdout to write to');
  if (output.mode !== 'text') throw usageError('the bytes of a file and --json both want stdout', 'leave --json out');
  await piped(around.stdoutIsTerminal ? forTerminal(source) : source, around.stdout, signal);
}

/** Into a new file, which goes again when it does not become whole. Never over one that is there. */
export async function toNewFile({ around, signal }: Where, source: Bytes, path: string): Promise<void> {
  const target = resolve(around.cwd, path);
  const file = await open(target, 'wx', 0o600).catch((error: unknown) => {
    throw outputFailed(target, error);
  });
  try {
    for await (const chunk of source) {
      signal.throwIfAborted();
      await file.writeFile(chunk).catch((error: unknown) => {
        throw outputFailed(target, error);
      });
    }
    await file.sync();
  } catch (error) {
    await rm(target, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}

async function piped(source: Bytes, stream: Writable, signal: AbortSignal): Promise<void> {
  try {
    await pipeline(source, stream, { signal, end: false });
  } catch (error) {
    signal.throwIfAborted();
    if (isBaseError(error) || errorCode(error)?.startsWith('E') !== true) throw error;
    throw outputFailed('standard output', error);
  }
}

async function* forTerminal(source: Bytes): AsyncGenerator<Uint8Array> {
  const decoder = new TextDecoder();
  for await (const chunk of source) yield Buffer.from(visible(decoder.decode(chunk, { stream: true })));
  yield Buffer.from(visible(decoder.decode()));
}

function visible(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]/gu, '?');
}

function outputFailed(where: string, cause: unknown): CliError {
  const code = errorCode(cause);
  const hints: Readonly<Record<string, string>> = {
    EEXIST: 'nothing is overwritten: name another file, or remove it first',
    EPIPE: 'who read it has gone before the end',
    ENOSPC: 'free space there, or write elsewhere',
  };
  const hint = code === undefined ? undefined : hints[code];
  return new CliError({
    code: 'CLI_OUTPUT_FAILED',
    message: `${where} cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`,
    details: { target: where },
    ...(hint !== undefined && { hint }),
    cause,
  });
}
