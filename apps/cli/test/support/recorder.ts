import { createOutput, type Output, type OutputOptions } from '../../src/render/output.ts';

/** An output that remembers what was written to either stream. */
export interface RecordedOutput extends Output {
  readonly out: () => string;
  readonly err: () => string;
}

export function recordedOutput(options: Partial<OutputOptions> & { readonly isTTY?: boolean; readonly columns?: number } = {}): RecordedOutput {
  const { isTTY = false, columns = 80, ...rest } = options;
  const written = { out: '', err: '' };
  const stream = (key: 'out' | 'err') => ({
    isTTY,
    columns,
    write(text: string) {
      written[key] += text;
      return true;
    },
  });
  const output = createOutput(
    { stdout: stream('out'), stderr: stream('err') },
    { mode: 'text', quiet: false, verbosity: 0, progress: true, color: false, ...rest },
  );
  return { ...output, out: () => written.out, err: () => written.err };
}
