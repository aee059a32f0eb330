import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A directory with `files` (path → text) that is gone after the test. */
export async function scratchTree(files = {}) {
  const dir = await mkdtemp(`${tmpdir()}/onevault-tooling-`);
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(`${dir}/${path}`), { recursive: true });
    await writeFile(`${dir}/${path}`, text);
  }
  return dir;
}

/**
 * Starts a program in a session of its own, without a terminal, and resolves with how it ended. `whileRunning` gets the child when its output first
 * contains `until`.
 */
export function finished(command, args, { cwd = ROOT, env = {}, until, whileRunning } = {}) {
  const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  onTestFinished(() => void (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')));
  let stdout = '';
  let stderr = '';
  let told = false;
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
    if (told || until === undefined || !stdout.includes(until)) return;
    told = true;
    whileRunning(child);
  });
  child.stderr.on('data', (chunk) => (stderr += chunk));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr, lastLine: stdout.trimEnd().split('\n').at(-1) }));
  });
}

export function node(args, options) {
  return finished(process.execPath, args, options);
}
