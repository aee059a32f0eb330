import { writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import type { Scope } from '@onevault/base';

/** What a command that is answered by the test prints; a throw is its failure. */
export type Answered = (words: readonly string[], cwd: string) => Promise<string>;

/** Puts `program verb` commands into `bin`; what they ask is answered here until the scope ends. */
export async function installAnswered(scope: Scope, commands: Readonly<Record<string, Answered>>, bin: string): Promise<void> {
  const server = createServer((socket) => {
    let asked = '';
    socket.setEncoding('utf8').on('error', () => undefined);
    socket.on('data', (text: string) => {
      asked += text;
      if (asked.endsWith('\0\n')) void answer(commands, asked.slice(0, -2).split('\0')).then((said) => socket.end(said));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  scope.defer(() => void server.close());
  const { port } = server.address() as AddressInfo;
  for (const program of new Set(Object.keys(commands).map((command) => command.replace(/ .*/, '')))) {
    await writeFile(
      join(bin, program),
      `#!/bin/bash\nexec 8<>/dev/tcp/127.0.0.1/${port}\nprintf '%s\\0' "$PWD" ${program} "$@" >&8; echo >&8\nread -r code <&8; cat <&8; exit "$code"\n`,
      { mode: 0o755 },
    );
  }
}

/** The exit code in the first line, then what is printed. */
async function answer(commands: Readonly<Record<string, Answered>>, [cwd = '', program = '', verb = '', ...words]: readonly string[]): Promise<string> {
  const command = commands[`${program} ${verb}`];
  if (command === undefined) return `2\n${program} ${verb}: not among the commands that are answered\n`;
  return command(words, cwd).then(
    (said) => (said === '' ? '0\n' : `0\n${said}\n`),
    (error: unknown) => `255\n${String(error)}\n`,
  );
}
