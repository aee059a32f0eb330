import { type Requirement, requiresCommand } from '../support/requires.ts';
import { type Comment, type Fence, markdownPieces } from './markdown-pieces.ts';
import { fenceCommands, type ShellCommand, shellCommands } from './shell-commands.ts';

/** What a page asks of whoever executes it, in the order of the page. */
export type Step =
  | ShellCommand
  | { readonly kind: 'file'; readonly line: number; readonly path: string; readonly content: string }
  | { readonly kind: 'here'; readonly line: number; readonly word: string; readonly command: string }
  | { readonly kind: 'killed'; readonly line: number; readonly during: string; readonly command: string };

/** A block that cannot run here, and the file that executes its commands instead. */
export interface Elsewhere {
  readonly line: number;
  readonly by: string;
  readonly commands: readonly string[];
}

export interface Page {
  readonly steps: readonly Step[];
  readonly elsewhere: readonly Elsewhere[];
  readonly needs: readonly Requirement[];
  /** Pages in whose shell, when they are through, it is executed. */
  readonly after: readonly string[];
  /** How many blocks are executed, or used by what is. */
  readonly blocks: number;
  /** What is wrong with the page itself, without running anything. */
  readonly problems: readonly string[];
}

/** Being read. */
type Draft = { readonly [List in Exclude<keyof Page, 'blocks'>]: Page[List][number][] } & { blocks: number };

const SHELL = new Set(['', 'sh', 'bash', 'shell', 'console', 'crontab']);
/** Blocks that are read, not run. */
const DATA = new Set(['text', 'json', 'yaml', 'ts', 'python', 'ini', 'xml', 'promql', 'nginx', 'caddy', 'sql', 'toml', 'dockerfile']);

/**
 * A page is its fenced blocks and these comments, which a browser does not show. `after`, `scene`, `here`, `killed` and `needs` stand for themselves, the others are about the
 * block that follows:
 *
 *     <!-- after: page -->                   the whole page goes on in the shell of that page, where it ended
 *     <!-- scene …commands… -->              what the page takes as given; run at this place
 *     <!-- here: WORD = command -->          from here on WORD stands for what the command prints
 *     <!-- killed: STEP = command -->        the command was killed with -9 while OpenNebula was at that step, which then ended
 *     <!-- needs: program package -->        the page runs only where there is that program
 *     <!-- executed by: path, path -->       the block cannot run here; that file executes it and names its commands
 *     <!-- file: path -->                    the block is the content of that file
 *     <!-- goes on: text -->                 the first command serves until the page ends; the rest waits until it has printed the text
 */
export function readPage(text: string): Page {
  const page: Draft = { steps: [], elsewhere: [], needs: [], after: [], problems: [], blocks: 0 };
  let about: Comment | undefined;
  for (const piece of markdownPieces(text)) {
    if (piece.kind === 'comment' && STANDALONE.has(piece.about)) readStandalone(page, piece);
    else if (piece.kind === 'comment') about = piece;
    else {
      if (piece.kind === 'fence') readBlock(page, piece, about);
      else if (about !== undefined) page.problems.push(`line ${about.line}: '${about.about}' is above no block`);
      about = undefined;
    }
  }
  return page;
}

const STANDALONE = new Set(['after', 'scene', 'here', 'killed', 'needs']);

function readStandalone(page: Draft, { about, value, line }: Comment): void {
  const at = value.indexOf(' = ');
  const [word, command] = [value.slice(0, at), value.slice(at + 3)];
  const [program = '', debianPackage = ''] = value.split(' ');
  if (about === 'after') page.after.push(value);
  else if (about === 'scene') page.steps.push(...shellCommands(value.split('\n'), line));
  else if (about === 'needs') page.needs.push(requiresCommand(program, `apt-get install ${debianPackage}`));
  else page.steps.push(about === 'here' ? { kind: 'here', line, word, command } : { kind: 'killed', line, during: word, command });
}

function readBlock(page: Draft, fence: Fence, about: Comment | undefined): void {
  const { line, language, body } = fence;
  if (about?.about === 'file') {
    page.blocks++;
    page.steps.push({ kind: 'file', line, path: about.value, content: `${body.join('\n')}\n` });
  } else if (DATA.has(language)) page.problems.push(...hiddenCommands(fence));
  else if (!SHELL.has(language)) page.problems.push(`line ${line}: a block of '${language}': is it run (sh, console, crontab) or read (text, yaml, …)?`);
  else if (about?.about === 'executed by') page.elsewhere.push({ line, by: about.value, commands: fenceCommands(fence).map(({ text }) => text) });
  else {
    page.blocks++;
    const [first, ...rest] = fenceCommands(fence);
    if (first !== undefined) page.steps.push(about === undefined ? first : { ...first, goesOn: about.value }, ...rest);
  }
}

function hiddenCommands({ line, language, body }: Fence): string[] {
  const hidden = body.findIndex((text) => language === 'text' && /^(\$ |sudo |systemctl |apt(-get)? |onevault (?!\d))/.test(text));
  return hidden === -1 ? [] : [`line ${line + 1 + hidden}: a command in a block of text: ${body[hidden]}`];
}
