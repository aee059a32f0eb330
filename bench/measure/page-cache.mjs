import { open, writeFile } from 'node:fs/promises';
import { runPlain } from './run.mjs';

/** Writes back everything and, as root, forgets what the page cache holds, so that the next read comes from the disk. */
export async function dropPageCache() {
  await runPlain('sync', []);
  if (process.getuid() === 0) await writeFile('/proc/sys/vm/drop_caches', '3');
}

/** Reads a file once, so that the next read comes from memory. */
export async function warmPageCache(path) {
  await runPlain('sync', []);
  const file = await open(path);
  const buffer = Buffer.allocUnsafe(8 << 20);
  try {
    for (let at = 0; ; ) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) return;
      at += bytesRead;
    }
  } finally {
    await file.close();
  }
}
