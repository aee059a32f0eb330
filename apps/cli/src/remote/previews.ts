import type { Answer } from '@onevault/api';
import { EXIT, type ExitCode } from '../exit.ts';
import { paint } from '../render/output.ts';
import { printable, renderTable } from '../render/table.ts';
import { formatBytes } from '../render/units.ts';
import type { RemoteContext } from './remote-context.ts';

type Preview = Answer<'previewRestore'>;

const MARK = { ok: ['ok', undefined], warning: ['warning', 'yellow'], unknown: ['unknown', 'yellow'], error: ['error', 'red'] } as const;

/** What would be made, what changes, what speaks against it. */
export function showPreview({ output }: Pick<RemoteContext, 'output'>, type: string, preview: Preview): ExitCode {
  const { objects, definition, questions, checks, notes, verdict, stops } = preview;
  const table = renderTable<Preview['objects'][number]>(
    [
      { name: 'KIND', value: ({ kind, temporary }) => (temporary ? `${kind} (temporary)` : kind) },
      { name: 'NAME', value: ({ name }) => name },
      { name: 'DISK', align: 'right', value: ({ diskId }) => diskId },
      { name: 'SIZE', align: 'right', value: ({ sizeBytes }) => (sizeBytes === undefined ? undefined : formatBytes(sizeBytes)) },
      { name: 'DATASTORE', value: ({ datastore }) => datastore },
      { name: 'WHAT', value: ({ what }) => what },
    ],
    objects,
  );
  for (const line of table) output.line(line);
  if (stops === true) output.line('the VM is stopped for it and started again');
  const changed = definition.filter(({ action }) => action !== 'keep');
  if (changed.length > 0) output.line();
  for (const { path, action, before, after, secret, reason, code } of changed) {
    const values = secret === true ? '(secret)' : `${before ?? '-'} -> ${after ?? '-'}`;
    output.line(`${action.padEnd(10)} ${printable(path)}: ${printable(values)}; ${printable(reason)} (${code})`);
  }
  for (const { question, answer, choices } of questions) output.line(`question ${question}: ${answer} (of ${choices.join(', ')})`);
  for (const { code, text } of notes) output.line(`note: ${printable(text)} (${code})`);
  for (const { severity, code, what, why, remedy } of checks) {
    const [word, color] = MARK[severity];
    const told = color === undefined ? word : paint(word, color, output.color);
    output.line(`${told}: ${printable(what)}: ${printable(why)}${remedy === undefined ? '' : `; ${printable(remedy)}`} (${code})`);
  }
  output.line(
    `preview verdict=${verdict} objects=${objects.length} changes=${changed.length} errors=${checks.filter(({ severity }) => severity === 'error').length}`,
  );
  output.document(type, preview);
  return { possible: EXIT.ok, degraded: EXIT.degraded, impossible: EXIT.partial }[verdict];
}
