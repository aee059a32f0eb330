import type { DefinitionChange } from '@onevault/orchestrator';
import { printable } from './table.ts';
import { wrapped } from './wrapped.ts';

/** Fits a terminal of 100 columns. */
const WIDTH = 98;
const PATH_WIDTH = 38;
const VALUE_WIDTH = 27;

/**
 * The saved definition against the one that would be made: first what is replaced, left out or asked about, each with both values side by side; then what
 * OpenNebula writes anew, by name. One reason stands above all it is the reason of. Pure.
 */
export function definitionDiffLines(changes: readonly DefinitionChange[]): string[] {
  if (changes.length === 0) return ['the definition is the saved one, unchanged'];
  const anew = changes.filter(({ action }) => action === 'regenerate');
  const others = changes.filter(({ action }) => action !== 'regenerate');
  return [
    ...(others.length > 0 ? [row('attribute', 'saved', 'new')] : []),
    ...grouped(others).flatMap((group) => [...reasonLines(group), ...group.map(changeLine)]),
    ...(anew.length > 0 ? ['', 'written anew by OpenNebula:'] : []),
    ...grouped(anew).flatMap((group) => [...reasonLines(group), ...nameLines(group)]),
  ];
}

/** By code, in the order in which they come. */
function grouped(changes: readonly DefinitionChange[]): (readonly DefinitionChange[])[] {
  const groups = new Map<string, DefinitionChange[]>();
  for (const change of changes) groups.set(change.code, [...(groups.get(change.code) ?? []), change]);
  return [...groups.values()];
}

function reasonLines([first]: readonly DefinitionChange[]): string[] {
  return first === undefined ? [] : wrapped(`${first.reason} [${first.code}]`, WIDTH, '  ');
}

function changeLine(change: DefinitionChange): string {
  return row(`    ${change.path}`, change.secret === true ? '(secret)' : (change.before ?? (isWhole(change) ? '(all of it)' : '-')), newValue(change));
}

/** A whole vector: of an attribute it would be said what it was. */
function isWhole({ before, after, action }: DefinitionChange): boolean {
  return before === undefined && after === undefined && action !== 'keep';
}

function newValue({ action, after, secret, before }: DefinitionChange): string {
  if (action === 'keep' || (after !== undefined && after === before)) return 'kept';
  if (secret === true) return action === 'strip' ? 'left out' : '(secret)';
  return after ?? 'left out';
}

/** `DISK/0: CLONE, DRIVER, …`: values of these are no more than noise. */
function nameLines(group: readonly DefinitionChange[]): string[] {
  const byVector = new Map<string, string[]>();
  for (const { path } of group) {
    const at = path.lastIndexOf('/');
    const vector = at < 0 ? '' : path.slice(0, at);
    byVector.set(vector, [...(byVector.get(vector) ?? []), path.slice(at + 1)]);
  }
  return [...byVector].flatMap(([vector, names]) => wrapped(`${vector === '' ? '' : `${vector}: `}${names.join(', ')}`, WIDTH, '      ', '    '));
}

function row(path: string, saved: string, created: string): string {
  return [cell(path, PATH_WIDTH), cell(saved, VALUE_WIDTH), cell(created, VALUE_WIDTH)].join('  ').trimEnd();
}

function cell(text: string, width: number): string {
  const shown = printable(text);
  return (shown.length > width ? `${shown.slice(0, width - 1)}…` : shown).padEnd(width);
}
