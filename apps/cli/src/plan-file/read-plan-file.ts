import { open } from 'node:fs/promises';
import { type CallOptions, errorCode, sayMissing } from '@onevault/base';
import { type PlanFile, type PlanProblem, planFileSchema } from '@onevault/orchestrator';
import { type Document, isNode, LineCounter, parseDocument } from 'yaml';
import { CliError } from '../errors.ts';

/** No plan of people is larger. */
const MAX_BYTES = 1024 * 1024;

/** A plan, and the way back from what is wrong in it to its lines. */
export interface PlanText {
  readonly file: PlanFile;
  readonly path: string;
  /** `line 12: vms.3.name`, for a path as errors have it. */
  place(path: PlanProblem['path']): string;
}

/** Reads YAML or JSON, which is YAML. Throws CLI_PLAN_FILE_INVALID with every problem, each with its line. */
export async function readPlanFile(path: string, options: CallOptions = {}): Promise<PlanText> {
  const lines = new LineCounter();
  // 1.2 core only: no merge keys, no tags of programs; aliases are counted, so that a small file cannot become a large one.
  const document = parseDocument(await readText(path, options), { lineCounter: lines, prettyErrors: true, uniqueKeys: true, stringKeys: true });
  if (document.errors.length > 0)
    throw invalid(
      path,
      document.errors.map(({ message }) => message.split('\n')[0] ?? message),
    );
  const place = (at: PlanProblem['path']): string => placeOf(document, lines, at);
  const parsed = planFileSchema.safeParse(contentOf(document, path), { error: sayMissing });
  if (!parsed.success) {
    const issues = parsed.error.issues.map((issue) => `${place(issue.path.filter((part) => typeof part !== 'symbol'))}: ${issue.message}`);
    throw invalid(path, issues);
  }
  return { file: parsed.data, path, place };
}

/** Problems that only a look at repository and cloud brings to light, with their lines. */
export function planProblems(error: unknown, text: PlanText): unknown {
  if (errorCode(error) !== 'JOB_PLAN_FILE_INVALID' || !(error instanceof Error) || !('details' in error)) return error;
  const { problems } = error.details as { readonly problems: readonly PlanProblem[] };
  return invalid(
    text.path,
    problems.map((problem) => `${text.place(problem.path)}: ${problem.text}`),
    error,
  );
}

function contentOf(document: Document, path: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 50 });
  } catch (error) {
    throw invalid(path, [error instanceof Error ? error.message : String(error)], error);
  }
}

/** The line of what the path leads to, or of the nearest thing around it that is there. */
function placeOf(document: Document, lines: LineCounter, path: PlanProblem['path']): string {
  for (let length = path.length; length >= 0; length--) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return `line ${lines.linePos(node.range[0]).line}${path.length === 0 ? '' : `, ${path.join('.')}`}`;
  }
  return path.join('.') || 'the file';
}

async function readText(path: string, { signal }: CallOptions): Promise<string> {
  try {
    await using file = await open(path, 'r');
    const buffer = Buffer.alloc(MAX_BYTES + 1);
    let length = 0;
    for (;;) {
      signal?.throwIfAborted();
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, null);
      if (bytesRead === 0) break;
      length += bytesRead;
      if (length > MAX_BYTES) throw invalid(path, [`it has more than ${MAX_BYTES} bytes`]);
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(buffer.subarray(0, length));
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof CliError) throw error;
    throw invalid(path, [`it cannot be read: ${error instanceof Error ? error.message : String(error)}`], error);
  }
}

function invalid(path: string, problems: readonly string[], cause?: unknown): CliError {
  return new CliError({
    code: 'CLI_PLAN_FILE_INVALID',
    message: `the plan ${path} ${problems.length === 1 ? 'has a problem' : `has ${problems.length} problems`}: ${problems.join('; ')}`,
    details: { path, problems },
    hint: 'docs/operate/restore-plans.md has an example and says what each field means',
    ...(cause !== undefined && { cause }),
  });
}
