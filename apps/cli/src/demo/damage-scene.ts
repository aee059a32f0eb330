import { cp, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { runVerify } from '../commands/verify.ts';
import { EXIT } from '../exit.ts';
import type { Mismatches } from './mismatches.ts';
import type { Stage } from './stage.ts';

/** A few bytes of a copy of the repository go bad, as disks do: verify must find it and say whose data it is. */
export async function damageAndSelfCheck(stage: Stage, mismatches: Mismatches): Promise<void> {
  const { repo } = stage.context.settings;
  if (repo === undefined) throw new TypeError('the stage has a repository');
  stage.scene('Damage and self-check, on a copy of the repository');
  const copy = `${repo}-damaged`;
  await cp(repo, copy, { recursive: true });
  const { path, sizeBytes } = await largestFile(copy);
  const offset = Math.floor(sizeBytes / 2);
  await flipBytes(path, offset, 4);
  stage.say(`4 bytes turned round at offset ${offset} of ${path.slice(copy.length + 1)}`);
  stage.command('verify');
  const { exitCode, damages } = await runVerify(stage.contextWithRepo(copy));
  stage.say(`exit code ${exitCode}`);
  const named = damages.some((damage) => damage.affects.some((affected) => affected.diskKey !== undefined && (affected.ranges?.length ?? 0) > 0));
  if (exitCode !== EXIT.damage || !named) mismatches.note(`verify did not name the damage at offset ${offset} of ${path}`);
  await rm(copy, { recursive: true, force: true });
}

async function largestFile(directory: string): Promise<{ readonly path: string; readonly sizeBytes: number }> {
  let largest = { path: '', sizeBytes: 0 };
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const { size } = await stat(path);
    if (size > largest.sizeBytes) largest = { path, sizeBytes: size };
  }
  return largest;
}

async function flipBytes(path: string, offset: number, length: number): Promise<void> {
  await using file = await open(path, 'r+');
  const bytes = Buffer.alloc(length);
  await file.read(bytes, 0, length, offset);
  await file.write(
    bytes.map((byte) => byte ^ 0xff),
    0,
    length,
    offset,
  );
}
