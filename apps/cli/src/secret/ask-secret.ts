import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import type { RepositorySecret } from '@onevault/backup-format';
import type { CallOptions } from '@onevault/base';
import { type AskSecret, textSecret } from '@onevault/composition';
import { usageError } from '../errors.ts';
import type { Output } from '../render/output.ts';
import type { Surroundings } from '../settings.ts';

/** Asks on the terminal. */
export function terminalPrompt({ stdin, stderrIsTerminal }: Pick<Surroundings, 'stdin' | 'stderrIsTerminal'>, output: Output): AskSecret {
  return async (question, options = {}) => {
    if (stdin?.isTTY !== true || !stderrIsTerminal || output.mode !== 'text') return undefined;
    return textSecret(await askHidden(stdin, `${question}: `, output, options));
  };
}

/** For a secret that is yet to open anything: typed twice. */
export async function askNewSecret(ask: AskSecret, question: string, options: CallOptions = {}): Promise<RepositorySecret | undefined> {
  const first = await ask(question, options);
  if (first?.kind !== 'passphrase') return first;
  const second = await ask('the same again', options);
  if (second?.kind !== 'passphrase' || second.passphrase.reveal() !== first.passphrase.reveal()) throw usageError('the two passphrases differ');
  return first;
}

/** readline takes the terminal out of its echoing mode; what it would echo itself goes nowhere. */
async function askHidden(stdin: NodeJS.ReadableStream, question: string, output: Output, { signal }: CallOptions): Promise<string> {
  signal?.throwIfAborted();
  output.stderr.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: stdin, output: nowhere, terminal: true, historySize: 0, ...(signal && { signal }) });
  try {
    return await new Promise<string>((resolve, reject) => {
      lines.once('line', resolve);
      // Without the terminal's own mode, Ctrl-C is a key like any other: no signal comes of it.
      lines.once('SIGINT', () => reject(new DOMException('cancelled at the question for a passphrase', 'AbortError')));
      lines.once('close', () => reject(signal?.aborted ? signal.reason : usageError('no passphrase was typed')));
    });
  } finally {
    lines.close();
    output.stderr.write('\n');
  }
}
