import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { describe, expect, test } from 'vitest';
import { thisProcess } from '../src/process-identity.ts';

describe('whether the owner of a journal lives', () => {
  test('this process does; one with its pid that started at another time does not', async () => {
    const { owner, isAlive } = thisProcess();
    const [host, pid, start, boot] = owner.split(' ');
    expect(await isAlive(owner)).toBe(true);
    expect(await isAlive(`${host} ${pid} ${Number(start) + 1} ${boot}`)).toBe(false);
  });

  test('a process that was killed and that its parent never collects does not', async () => {
    // The shell becomes a program that waits for nobody: its child stays a zombie as long as it lives.
    const parent = spawn('sh', ['-c', 'cat <&3 >/dev/null & echo $!; exec cat >/dev/null'], { stdio: ['pipe', 'pipe', 'inherit', 'pipe'] });
    try {
      const [child] = await createInterface({ input: parent.stdout as NodeJS.ReadableStream })
        [Symbol.asyncIterator]()
        .next()
        .then(({ value }) => [String(value)]);
      const stat = async (): Promise<string[]> => (await readFile(`/proc/${child}/stat`, 'utf8')).replace(/^.*\) /s, '').split(' ');
      const { owner, isAlive } = thisProcess();
      const [host, , , boot] = owner.split(' ');
      const theirs = `${host} ${child} ${(await stat())[19]} ${boot}`;
      expect(await isAlive(theirs)).toBe(true);
      process.kill(Number(child), 'SIGKILL');
      await expect.poll(async () => (await stat())[0]).toBe('Z');
      expect(await isAlive(theirs)).toBe(false);
    } finally {
      parent.kill('SIGKILL');
    }
  });
});
