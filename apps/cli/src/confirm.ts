import { createInterface } from 'node:readline';
import type { CommandContext } from './command-context.ts';

/** Asks on a terminal and takes nothing but `yes` for yes. Where nobody can answer, nobody is asked: scripts say what they mean with flags. */
export async function confirm({ around, output, signal }: Pick<CommandContext, 'around' | 'output' | 'signal'>, question: string): Promise<boolean> {
  const { stdin } = around;
  if (stdin?.isTTY !== true || !around.stderrIsTerminal || output.mode !== 'text') return true;
  output.stderr.write(`${question} Type yes to go on: `);
  const lines = createInterface({ input: stdin, signal });
  try {
    for await (const line of lines) return line.trim().toLowerCase() === 'yes';
    signal.throwIfAborted();
    return false;
  } finally {
    lines.close();
  }
}
