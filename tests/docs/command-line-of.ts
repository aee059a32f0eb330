import { buildProgram } from '../../apps/cli/src/program.ts';

type Command = ReturnType<typeof buildProgram>;

const silent = { write: () => true };
const program = buildProgram(async () => undefined, { stdout: silent, stderr: silent }, '0');

/**
 * What is wrong with a command line that a text names: a command or a flag that does not exist. Placeholders (`POINT`, `<id>`, `…`, `N`) stand for any
 * argument; what follows a pipe, `&&`, a comment or a redirection is not looked at. `isProse`: words that follow the name of the program in sentences.
 */
export function wrongCommandLine(text: string, isProse: (word: string) => boolean = () => false): string | undefined {
  const path: Command[] = [program];
  let before = '';
  for (const word of wordsOf(text)) {
    const problem = /^--?[a-z]/i.test(word) ? wrongFlag(path, word.replace(/=.*$/, '')) : wrongWord(path, word, before);
    if (problem !== undefined) return isProse(word) ? undefined : problem;
    before = word;
  }
  return undefined;
}

function wordsOf(text: string): string[] {
  const words = text.replace(/^onevault\s+/, '').split(/\s+/);
  const end = words.findIndex((word) => /^(\||&&|;|>|#|2>)/.test(word));
  return words.slice(0, end === -1 ? undefined : end).map((word) => word.replace(/^[[(]+|[\]),.;:'"`]+$/g, ''));
}

function wrongFlag(path: readonly Command[], flag: string): string | undefined {
  const known = ['-h', '--help'].includes(flag) || path.some((command) => command.options.some((option) => option.long === flag || option.short === flag));
  return known ? undefined : `${names(path)} has no flag ${flag}`;
}

/** Goes down to the command of that name. A group that takes no arguments of its own must have one; `onevault --key-file key init`: that belongs to the flag. */
function wrongWord(path: Command[], word: string, before: string): string | undefined {
  const command = path.at(-1) ?? program;
  const sub = command.commands.find((candidate) => candidate.name() === word || candidate.aliases().includes(word));
  if (sub !== undefined) path.push(sub);
  const mustBeOne = command.commands.length > 0 && command.registeredArguments.length === 0 && /^[a-z][a-z-]*$/.test(word);
  const ofFlag = program.options.some((option) => (option.long === before || option.short === before) && (option.required || option.optional));
  return sub !== undefined || !mustBeOne || ofFlag ? undefined : `${names(path)} has no command ${word}`;
}

const names = (path: readonly Command[]): string => path.map((command) => command.name()).join(' ');
