import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Runs a program that is part of the preparation; its output is shown only when it fails. */
export async function runPlain(command, args, options = {}) {
  const result = await runMeasured(command, args, options);
  return result.stdout;
}

/**
 * Runs a program and measures it from outside: wall time of the whole process and the peak of its memory (VmHWM, which counts every thread).
 * Throws with its output when it fails: a measurement of a failure is worth nothing.
 */
export function runMeasured(command, args, { env = {}, cwd, input } = {}) {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
    const output = { stdout: '', stderr: '' };
    child.stdout.on('data', (chunk) => (output.stdout += chunk));
    child.stderr.on('data', (chunk) => (output.stderr += chunk));
    child.stdin.on('error', () => undefined); // it ended before it read its input: its exit code says why
    child.stdin.end(input);
    let peakBytes = 0;
    const sampler = setInterval(() => (peakBytes = Math.max(peakBytes, residentPeak(child.pid))), 20);
    child.on('error', (cause) => {
      clearInterval(sampler);
      reject(new Error(`${command} could not be started`, { cause }));
    });
    child.on('close', (code, signal) => {
      clearInterval(sampler);
      const seconds = (performance.now() - started) / 1000;
      if (code === 0) resolve({ seconds, peakBytes, ...output });
      else reject(new Error(`${[command, ...args].join(' ')} ended with ${signal ?? code}\n${output.stdout}${output.stderr}`));
    });
  });
}

/** The highest resident memory so far of a process, in bytes; 0 when it is gone. */
function residentPeak(pid) {
  try {
    const kib = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Number(kib ?? 0) * 1024;
  } catch {
    return 0;
  }
}
