import type { Fence } from './markdown-pieces.ts';

export interface ShellCommand {
  readonly kind: 'command';
  readonly line: number;
  readonly text: string;
  /** How the page says that it ends. */
  readonly exit: number;
  /** What the page says that it prints. */
  readonly shown: readonly string[];
  /** It serves until the page ends, and has begun to when it has printed this. */
  readonly goesOn?: string;
}

/** The commands of a block in their order. Of a crontab the times and the user are left away. */
export function fenceCommands({ line, language, body }: Fence): ShellCommand[] {
  if (language === 'console') return consoleCommands(body, line + 1);
  return shellCommands(language === 'crontab' ? body.map((entry) => entry.replace(/^(\S+\s+){5}root\s+/, '')) : body, line + 1);
}

/** A command ends with its line, unless the line is continued, inside quotes, braces or a loop, or opens a here-document. */
export function shellCommands(body: readonly string[], first: number): ShellCommand[] {
  const commands: ShellCommand[] = [];
  let open: { readonly line: number; readonly text: string } | undefined;
  for (const [index, line] of body.entries()) {
    if (open === undefined && /^\s*(#|$)/.test(line)) continue;
    open = open === undefined ? { line: first + index, text: line } : { line: open.line, text: `${open.text}\n${line}` };
    if (!isWhole(open.text) && index < body.length - 1) continue;
    commands.push(command(open.line, open.text, []));
    open = undefined;
  }
  return commands;
}

/** `$ command` (`> ` where it goes on), then what it prints. */
function consoleCommands(body: readonly string[], first: number): ShellCommand[] {
  const commands: { readonly line: number; text: string; readonly shown: string[] }[] = [];
  for (const [index, line] of body.entries()) {
    const last = commands.at(-1);
    if (line.startsWith('$ ')) commands.push({ line: first + index, text: line.slice(2), shown: [] });
    else if (line.startsWith('> ') && last?.shown.length === 0) last.text += `\n${line.slice(2)}`;
    else if (line.trim() !== '') last?.shown.push(line);
  }
  return commands.map(({ line, text, shown }) => command(line, text, shown));
}

/** `# exit code 4` */
function command(line: number, text: string, shown: readonly string[]): ShellCommand {
  return { kind: 'command', line, text, exit: Number(/#.*\bexit code (\d+)/.exec(text)?.[1] ?? 0), shown };
}

function isWhole(text: string): boolean {
  const hereDocument = /<<-?\s*'?(\w+)'?/.exec(text);
  if (hereDocument !== null) return text.split('\n').includes(hereDocument[1] ?? '');
  if (text.endsWith('\\')) return false;
  const unquoted = text
    .replace(/\\./g, '')
    .replace(/'[^']*'|"[^"]*"/g, '')
    .replace(/(^|\s)#.*$/gm, '');
  const count = (pattern: RegExp): number => unquoted.match(pattern)?.length ?? 0;
  return !/['"]/.test(unquoted) && count(/(?<=^|[\s;])(\{|do|then)(?=\s|$)/g) <= count(/(?<=^|[\s;])(\}|done|fi)(?=[\s;&|>]|$)/g);
}
