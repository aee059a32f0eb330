import { chmod, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What a fake guestfish does at a command that begins with the key; unknown commands succeed in silence. */
export type FakeAnswers = Readonly<Record<string, FakeAnswer>>;

export interface FakeAnswer {
  /** Printed on standard output before guestfish's own line about the time. */
  readonly output?: string;
  /** The command fails with this on standard error. */
  readonly fails?: string;
  /** Written to the output file of the command: its argument that begins with a slash and ends in `/out`. */
  readonly file?: Uint8Array;
  /** Never answers. */
  readonly hangs?: true;
  /** Starts a child of its own (as libguestfs does), writes its process id into this file, and never answers. */
  readonly spawns?: string;
  readonly exits?: number;
}

/**
 * A guestfish for tests without libguestfs, in a directory to be the only one on PATH. It speaks what guestfish speaks on its three streams, and no more: what it
 * answers, the test says.
 */
export async function fakeGuestfish(directory: string, answers: FakeAnswers = {}): Promise<{ readonly PATH: string }> {
  const plain = Object.fromEntries(
    Object.entries(answers).map(([key, answer]) => [key, { ...answer, file: answer.file && Buffer.from(answer.file).toString('base64') }]),
  );
  const path = join(directory, 'guestfish');
  await writeFile(path, `#!${process.execPath}\nconst answers = ${JSON.stringify(plain)};\n${SCRIPT}`);
  await chmod(path, 0o755);
  await symlink('/usr/bin/setpriv', join(directory, 'setpriv'));
  return { PATH: directory };
}

/** Text, because a bundler would rewrite code. Runs in a process of its own, by `answers`. */
const SCRIPT = String.raw`
const { writeFileSync, writeSync } = require('node:fs');
const { spawn } = require('node:child_process');
let silent = false;
function answer(command) {
  const key = Object.keys(answers).find((prefix) => command.startsWith(prefix));
  const { output = '', fails, file, hangs, spawns, exits } = answers[key] ?? {};
  if (exits !== undefined) process.exit(exits);
  if (spawns !== undefined) writeFileSync(spawns, String(spawn('/bin/sleep', ['1000'], { stdio: 'ignore' }).pid));
  silent = hangs === true || spawns !== undefined;
  if (silent) return;
  if (file !== undefined) writeFileSync(/"(\/[^"]*\/out)"/.exec(command)[1], Buffer.from(file, 'base64'));
  if (fails === undefined) writeSync(1, output + 'elapsed time: 0.01 seconds\n');
  else writeSync(2, '*stdin*:1: libguestfs: error: ' + fails + '\n');
}
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  if (silent) return;
  if (line.startsWith('-time ')) answer(line.slice(6));
  else if (line.startsWith('echo ')) writeSync(1, line.slice(5) + '\n');
  else writeSync(2, line.slice(1) + ': unknown command\n');
});
`;
