import { mkdir, rename, rm } from 'node:fs/promises';
import { runMeasured, runPlain } from '../measure/run.mjs';

/** restic with its defaults (content-defined chunks, zstd "auto", AES always) on a local repository in `dir`; undefined when it is not installed. */
export async function resticPeer(dir) {
  const version = await runPlain('restic', ['version']).catch(() => undefined);
  if (version === undefined) return undefined;
  const env = { RESTIC_REPOSITORY: `${dir}/repository`, RESTIC_PASSWORD: 'bench', RESTIC_CACHE_DIR: `${dir}/cache`, RESTIC_PROGRESS_FPS: '0.1' };
  const restic = (...args) => runMeasured('restic', ['--quiet', ...args], { env });
  return {
    name: 'restic',
    version: version.split(' ').slice(0, 2).join(' '),
    repository: env.RESTIC_REPOSITORY,
    async create() {
      await rm(dir, { recursive: true, force: true });
      await mkdir(dir, { recursive: true });
      await restic('init');
    },
    full: (image) => restic('backup', image),
    incremental: (image) => restic('backup', image),
    async restore(image, target) {
      const measured = await restic('restore', 'latest', '--target', `${dir}/restored`);
      await rename(`${dir}/restored${image}`, target);
      await rm(`${dir}/restored`, { recursive: true });
      return measured;
    },
    /** To a file through a pipe, which is all that restic offers for one file. */
    dump: (image, target) => runMeasured('sh', ['-c', 'restic --quiet dump latest "$0" > "$1" && sync "$1"', image, target], { env }),
    verify: () => restic('check', '--read-data'),
  };
}
