import { runSchemas, type StreamEvent } from '@onevault/api';
import { EXIT, type ExitCode } from '../exit.ts';
import { printable } from '../render/table.ts';
import type { RemoteContext } from './remote-context.ts';

/** What progress says is in the run itself. */
const LEFT_OUT: ReadonlySet<string> = new Set(['disk.progress']);

/** Everything that happened in a run, a line each; of one that is under way until it ends. With --json or --jsonl the lines are as the server keeps them. */
export async function runLog({ client, output, signal }: RemoteContext, runId: string): Promise<ExitCode> {
  const { body } = await client.file('runLog', { params: { runId } }, { signal });
  for await (const line of linesOf(body)) {
    if (output.mode !== 'text') output.stdout.write(`${line}\n`);
    else {
      const event = runSchemas.streamEvent.parse(JSON.parse(line));
      if (!LEFT_OUT.has(event.type)) output.line(eventLine(event));
    }
  }
  return EXIT.ok;
}

/** `2026-11-28T02:00:01.000Z WARN  clean-up failed runId="w-1"`: the level, what it is, and what is known of it. */
function eventLine({ time, type, data }: StreamEvent): string {
  const { level, message, fields } = data as { readonly level?: unknown; readonly message?: unknown; readonly fields?: unknown };
  const [says, known] = type === 'log' ? [`${String(level).toUpperCase().padEnd(5)} ${String(message)}`, fields] : [`EVENT ${type}`, data];
  const facts = Object.entries((known ?? {}) as Record<string, unknown>).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return printable([time, says, ...facts].join(' '));
}

async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    yield* lines.filter((line) => line !== '');
  }
  if (rest !== '') yield rest;
}
