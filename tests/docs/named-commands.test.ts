import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { wrongCommandLine } from './command-line-of.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** What the program does, in sentences that are no commands. A word that is not here has to be a command. */
const PROSE = new Set([
  'needs',
  'reads',
  'runs',
  'shows',
  'choose',
  'from',
  'alone',
  'while',
  'overlay',
  'server',
  'gives',

  'is',
  'has',
  'made',
  'makes',
  'was',
  'may',
  'can',
  'does',
  'did',
  'takes',
  'works',
  'for',
  'in',
  'and',
  'or',
  'of',
  'on',
  'to',
  'that',
  'with',
  'as',
  'at',
  'by',
  'itself',
]);

/** Whoever follows a hint at night types what it says. */
describe('a command that is named', () => {
  test('in a message or hint of the source exists, with its flags', { timeout: 60_000 }, () => {
    const wrong: string[] = [];
    let seen = 0;
    for (const file of sources()) {
      for (const { line, text } of literals(file)) {
        for (const named of mentions(text)) {
          seen++;
          const problem = wrongCommandLine(named, (word) => PROSE.has(word));
          if (problem !== undefined) wrong.push(`${file.slice(ROOT.length)}:${line}: ${problem} in '${text}'`);
        }
      }
    }
    expect(seen).toBeGreaterThan(50);
    expect(wrong).toEqual([]);
  });

  test('in the running text of the documentation exists, with its flags', () => {
    const wrong = markdown().flatMap((file) => {
      const lines = readFileSync(join(ROOT, file), 'utf8').split('\n');
      return lines.flatMap((line, index) =>
        [...line.matchAll(/`(onevault [^`\d][^`]*)`/g)].flatMap(([, named = '']) => {
          const problem = wrongCommandLine(named);
          return problem === undefined ? [] : [`${file}:${index + 1}: ${problem} in '${named}'`];
        }),
      );
    });
    expect(wrong).toEqual([]);
  });

  test('that does not exist is found', () => {
    expect(wrongCommandLine('onevault snapshots list')).toBe('onevault has no command snapshots');
    expect(wrongCommandLine('onevault snapshot prun web')).toBe('onevault snapshot has no command prun');
    expect(wrongCommandLine('onevault backup web --fulll')).toBe('onevault backup has no flag --fulll');
    expect(wrongCommandLine('onevault --key-file key init --encrypt')).toBeUndefined();
  });
});

function sources(): string[] {
  return ['packages', 'apps'].flatMap((group) =>
    readdirSync(join(ROOT, group)).flatMap((name) => {
      const src = join(ROOT, group, name, 'src');
      return readdirSync(src, { recursive: true, encoding: 'utf8' })
        .filter((path) => /\.tsx?$/.test(path))
        .map((path) => join(src, path));
    }),
  );
}

function markdown(): string[] {
  const pages = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.md'));
  return ['README.md', 'CONTRIBUTING.md', ...pages.map((path) => `docs/${path}`)];
}

/** Strings and templates of a file, an expression inside a template as `…`; comments are none. */
function literals(path: string): { readonly line: number; readonly text: string }[] {
  const content = readFileSync(path, 'utf8');
  if (!content.includes('onevault ')) return [];
  const file = ts.createSourceFile(path, content, ts.ScriptTarget.Latest, false);
  const found: { line: number; text: string }[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteralLike(node)) found.push({ line: lineOf(node), text: node.text });
    else if (ts.isTemplateExpression(node)) {
      found.push({ line: lineOf(node), text: [node.head.text, ...node.templateSpans.map((span) => `…${span.literal.text}`)].join('') });
      for (const span of node.templateSpans) visit(span.expression);
      return;
    }
    ts.forEachChild(node, visit);
  };
  const lineOf = (node: ts.Node): number => file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1;
  visit(file);
  return found;
}

/** From the name of the program to the end of what can be its arguments: a sentence goes on behind a comma, a semicolon, a bracket or a colon. */
function mentions(text: string): string[] {
  return [...text.matchAll(/\bonevault [a-z-][^,;:()\n`]*/g)].map(([named]) => named.trim());
}
