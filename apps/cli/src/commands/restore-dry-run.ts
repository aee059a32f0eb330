import { type Answers, type JobDeps, previewRestore, QUESTIONS, type Question, type RestorePreview, type RestoreRequest } from '@onevault/orchestrator';
import type { CommandContext } from '../command-context.ts';
import { usageError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { restorePreviewLines } from '../render/restore-preview-text.ts';
import { restorePreviewLine } from '../render/summary-line.ts';

/** `restore --dry-run`: says what would be made, how the definition changes and what speaks against it; makes nothing. */
export async function dryRun({ output, signal }: CommandContext, deps: JobDeps, request: RestoreRequest): Promise<ExitCode> {
  const preview = await previewRestore(deps, request, { signal });
  for (const line of restorePreviewLines(preview, output.color)) output.line(line);
  output.line();
  output.line(restorePreviewLine(preview));
  output.document('restore.preview', preview);
  return exitOf(preview);
}

function exitOf({ checks }: RestorePreview): ExitCode {
  return { possible: EXIT.ok, degraded: EXIT.degraded, impossible: EXIT.partial }[checks.verdict];
}

/** `uuid=keep`: answers to the questions of docs/restored-definition.md. */
export function answersOf(texts: readonly string[]): Partial<Answers> {
  const answers: Record<string, string> = {};
  for (const text of texts) {
    const [question = '', answer = ''] = text.split('=', 2);
    const choices: readonly string[] | undefined = isQuestion(question) ? QUESTIONS[question] : undefined;
    if (choices === undefined) throw usageError(`there is no question '${question}'`, `questions: ${Object.keys(QUESTIONS).join(', ')}`);
    if (!choices.includes(answer)) throw usageError(`'${answer}' does not answer ${question}`, `answers: ${choices.join(', ')}`);
    answers[question] = answer;
  }
  return answers;
}

function isQuestion(text: string): text is Question {
  return Object.hasOwn(QUESTIONS, text);
}
