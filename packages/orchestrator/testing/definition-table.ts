import type { AttributeRule } from '../src/definition/attribute-rule.ts';
import { DEFINITION_TABLE } from '../src/definition/rule-lookup.ts';

const HEAD = ['attributes', 'become', 'when', 'why', 'code', 'in OpenNebula'];

/** The table of docs/restored-definition.md, lines of Markdown: attributes with the same line but for their name stand in one row. */
export function definitionTable(): string[] {
  const rows = new Map<string, { readonly rule: AttributeRule; readonly paths: string[] }>();
  for (const rule of DEFINITION_TABLE) {
    const key = [rule.action, rule.code, rule.when, rule.why, rule.source].join('\n');
    const row = rows.get(key) ?? { rule, paths: [] };
    row.paths.push(rule.path);
    rows.set(key, row);
  }
  const lines = [...rows.values()].map(({ rule, paths }) =>
    [paths.map((path) => `\`${path}\``).join(' '), rule.action, rule.when ?? '', rule.why, rule.code, rule.source].map(escaped),
  );
  return [HEAD, HEAD.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`);
}

const escaped = (text: string): string => text.replaceAll('|', '\\|');
