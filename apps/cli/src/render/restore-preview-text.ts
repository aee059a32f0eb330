import type { PreviewObject, RestoreFinding, RestorePreview, RestoreSeverity } from '@onevault/orchestrator';
import { definitionDiffLines } from './definition-diff.ts';
import { paint } from './output.ts';
import { printable, renderTable } from './table.ts';
import { formatBytes } from './units.ts';
import { wrapped } from './wrapped.ts';

const WIDTH = 98;
const MIB = 1024 * 1024;
const SEVERITY_WIDTH = 9;
const COLORS = { ok: 'green', warning: 'yellow', error: 'red', unknown: 'yellow' } as const satisfies Record<RestoreSeverity, string>;

/** What a restore would do, in four parts: what it makes, how the definition changes, what was looked at, and the verdict. */
export function restorePreviewLines(preview: RestorePreview, color: boolean): string[] {
  const { saved, targetVersion } = preview;
  const from = `VM ${saved.vmId} '${printable(saved.name)}'${saved.version === undefined ? '' : ` of OpenNebula ${saved.version}`}`;
  const bold = (text: string): string => paint(text, 'bold', color);
  return [
    bold(`would restore ${from} as '${printable(preview.vmName)}'`),
    `  from point ${preview.pointId} to OpenNebula ${targetVersion}`,
    '',
    bold('objects'),
    ...renderTable(OBJECT_COLUMNS, preview.objects).map((line) => `  ${line}`),
    ...preview.notes.flatMap(({ code, message }) => wrapped(`note: ${message} [${code}]`, WIDTH, '        ', '  ')),
    '',
    bold('definition'),
    ...definitionDiffLines(preview.changes),
    ...questionLines(preview),
    '',
    bold('checks'),
    ...preview.checks.findings.flatMap((finding) => findingLines(finding, color)),
  ];
}

const OBJECT_COLUMNS = [
  { name: 'KIND', value: ({ kind, temporary }: PreviewObject) => (temporary ? `${kind}, for a time` : kind) },
  { name: 'NAME', value: ({ name }: PreviewObject) => name },
  { name: 'SIZE', align: 'right', value: ({ sizeMiB }: PreviewObject) => (sizeMiB === undefined ? undefined : formatBytes(sizeMiB * MIB)) },
  {
    name: 'DATASTORE',
    value: ({ datastoreId, datastoreName }: PreviewObject) => (datastoreId === undefined ? undefined : `${datastoreId} ${datastoreName ?? ''}`.trim()),
  },
  { name: 'WHAT', value: ({ what }: PreviewObject) => what },
] as const;

function questionLines({ questions }: RestorePreview): string[] {
  if (questions.length === 0) return [];
  return [
    '',
    'decided for you (--answer QUESTION=ANSWER):',
    ...questions.map(({ question, answer, choices }) => `    ${question}=${answer}  (of ${choices.join(', ')})`),
  ];
}

function findingLines({ severity, code, what, why, remedy }: RestoreFinding, color: boolean): string[] {
  const indent = ' '.repeat(SEVERITY_WIDTH);
  const lines = wrapped(`${what}: ${why}${severity === 'ok' ? '' : ` [${code}]`}`, WIDTH, indent);
  const head = paint(severity.toUpperCase(), COLORS[severity], color) + indent.slice(severity.length);
  const seen = [head + (lines[0] ?? '').slice(SEVERITY_WIDTH), ...lines.slice(1)];
  return remedy === undefined || severity === 'ok' ? seen : [...seen, ...wrapped(`do: ${remedy}`, WIDTH, `${indent}    `, indent)];
}
