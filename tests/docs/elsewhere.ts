import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Elsewhere } from './page.ts';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));

/** A file executes a command when it names the program and the words behind it, up to the first that is an option, a path or a placeholder. */
export function unexecuted({ line, by, commands }: Elsewhere): string[] {
  const paths = by.split(', ').map((path) => join(REPOSITORY, path));
  const absent = paths.filter((path) => !existsSync(path));
  if (absent.length > 0) return [`line ${line}: ${absent.join(', ')}: no such file`];
  const text = paths.map((path) => readFileSync(path, 'utf8')).join('\n');
  return commands.flatMap((command) => {
    const lacking = namesOf(command).filter((name) => !text.includes(name));
    return lacking.length === 0 ? [] : [`line ${line}: ${by} does not name '${lacking.join("', '")}' of: ${command}`];
  });
}

function namesOf(command: string): string[] {
  const [program = '', ...words] = command.replace(/^(\w+=\S*\s+(\\\n\s*)?)+/, '').split(/\s+/);
  const end = words.findIndex((word) => !/^[a-z][a-z-]*$/.test(word));
  const verbs = words.slice(0, Math.min(end === -1 ? words.length : end, 2));
  if (program === 'export') return [];
  return program === 'onevault' ? verbs : [program, ...verbs.slice(0, 1)];
}
