import { existsSync } from 'node:fs';
import { mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { runPlain } from '../measure/run.mjs';
import { keystream, randomNumbers } from './keystream.mjs';
import { textStream } from './text.mjs';

const MIB = 1 << 20;
/** Part of the disk that files fill; the rest stays zeros (holes in the image). */
const USED = 0.75;
const STAGING_BYTES = 512 * MIB;
/** Raised whenever the bytes of the disk change, so that a cached one is not taken for the new one. */
const RECIPE = 2;

/**
 * Builds (or finds, from an earlier run) an ext4 image of `sizeBytes` in `dir` and returns its path: 75 % used, half of that incompressible and half
 * text-like at about 3:1, in files from 64 KiB to 64 MiB. The same size gives the same bytes on every machine with the same e2fsprogs.
 */
export async function mixedDisk(dir, sizeBytes) {
  const path = `${dir}/mixed-${sizeBytes / MIB}MiB-r${RECIPE}.img`;
  if (existsSync(path)) return { path, cached: true };
  const unfinished = `${path}.unfinished`;
  const staging = `${dir}/staging`;
  try {
    await rm(staging, { recursive: true, force: true });
    await mkdir(staging, { recursive: true });
    await emptyFileSystem(unfinished, sizeBytes);
    for (const batch of batches(filesFor(sizeBytes * USED))) await addFiles(unfinished, staging, batch);
    await runPlain('e2fsck', ['-fn', unfinished]);
    await rename(unfinished, path);
  } finally {
    await rm(staging, { recursive: true, force: true });
    await rm(unfinished, { force: true });
  }
  return { path, cached: false };
}

// Fixed time, UUID and hash seed: mke2fs would take them from the clock and the kernel.
const FIXED = { E2FSPROGS_FAKE_TIME: '1700000000' };
const UUID = '6f6e6576-6175-6c74-8000-62656e636800';

async function emptyFileSystem(path, sizeBytes) {
  const image = await open(path, 'w');
  await image.truncate(sizeBytes);
  await image.close();
  const features = 'lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0';
  await runPlain('mke2fs', ['-q', '-F', '-t', 'ext4', '-m', '0', '-U', UUID, '-E', `hash_seed=${UUID},${features}`, path], { env: FIXED });
}

/** The files of the disk in order: kind and size follow from the file's number alone. */
function* filesFor(totalBytes) {
  const sizes = randomNumbers('file sizes');
  const filled = { random: 0, text: 0 };
  for (let number = 0; filled.random + filled.text < totalBytes; number += 1) {
    const kind = filled.random <= filled.text ? 'random' : 'text';
    const left = totalBytes - filled.random - filled.text;
    const size = Math.min(sizes.logUniform(64 * 1024, 64 * MIB), left);
    filled[kind] += size;
    yield { name: `${kind}-${number}`, kind, size };
  }
}

function* batches(files) {
  let batch = [];
  let bytes = 0;
  for (const file of files) {
    batch.push(file);
    bytes += file.size;
    if (bytes < STAGING_BYTES) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}

/** debugfs writes the files without a mount, so without root; a batch at a time, so that the disk is not needed twice. */
async function addFiles(image, staging, files) {
  for (const { name, kind, size } of files) {
    const stream = kind === 'random' ? keystream(name) : textStream(name);
    const file = await open(`${staging}/${name}`, 'w');
    for (let at = 0; at < size; at += 4 * MIB) await file.write(stream.bytes(Math.min(4 * MIB, size - at)));
    await file.close();
  }
  const commands = `${staging}/commands`;
  await writeFile(commands, files.map(({ name }) => `write ${staging}/${name} ${name}\n`).join(''));
  const output = await runPlain('debugfs', ['-w', '-f', commands, image], { env: FIXED });
  // debugfs ends with 0 whatever happens.
  if (output.match(/^Allocated inode:/gm)?.length !== files.length) throw new Error(`debugfs could not write every file:\n${output}`);
  for (const { name } of files) await rm(`${staging}/${name}`);
}
