import { mkdir, rename, rm } from 'node:fs/promises';
import { runMeasured, runPlain } from '../measure/run.mjs';

/** borg as one would set it for disk images: fixed chunks of 1 MiB, zstd level 3, no encryption. undefined when it is not installed. */
export async function borgPeer(dir) {
  const version = await runPlain('borg', ['--version']).catch(() => undefined);
  if (version === undefined) return undefined;
  const repository = `${dir}/repository`;
  const env = { BORG_BASE_DIR: `${dir}/home`, BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: 'yes' };
  const borg = (args, cwd) => runMeasured('borg', args, { env, cwd });
  let archives = 0;
  const create = (image) => {
    archives += 1;
    return borg(['create', '--compression', 'zstd,3', '--chunker-params', 'fixed,1048576', `${repository}::${archives}`, image]);
  };
  return {
    name: 'borg',
    version: version.trim(),
    repository,
    async create() {
      archives = 0;
      await rm(dir, { recursive: true, force: true });
      await mkdir(dir, { recursive: true });
      await borg(['init', '--encryption=none', repository]);
    },
    full: create,
    incremental: create,
    async restore(image, target) {
      await mkdir(`${dir}/restored`, { recursive: true });
      const measured = await borg(['extract', `${repository}::${archives}`], `${dir}/restored`);
      await rename(`${dir}/restored${image}`, target);
      await rm(`${dir}/restored`, { recursive: true });
      return measured;
    },
    verify: () => borg(['check', '--verify-data', repository]),
  };
}
