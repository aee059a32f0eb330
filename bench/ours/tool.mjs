import { mkdir, rm } from 'node:fs/promises';
import { runMeasured } from '../measure/run.mjs';

/**
 * onevault as a tool with the same face as the peers: every call is a fresh process that uses only the public entries of the packages.
 * `seconds` is the wall time of that whole process, its start included, as it is for the peers.
 */
export function oursTool(dir, { workers, compressionLevel, blockSizeBytes, encrypt = false } = {}) {
  const repository = `${dir}/repository`;
  const scanning = workers === undefined ? {} : { workers };
  const init = { ...(compressionLevel !== undefined && { compressionLevel }), ...(blockSizeBytes !== undefined && { blockSizeBytes }) };
  const key = encrypt ? { encrypt } : {};
  return {
    name: encrypt ? 'encrypted' : 'onevault',
    repository,
    async create() {
      await rm(dir, { recursive: true, force: true });
      await mkdir(dir, { recursive: true });
    },
    scan: (task) => runOurs('scan', { ...task, ...scanning }),
    full: (image) => runOurs('backup', { repository, init, ...key, mode: 'full', devices: [image], ...scanning }),
    fullOfMany: (devices) => runOurs('backup', { repository, init, ...key, mode: 'full', devices, ...scanning }),
    incremental: (image) => runOurs('backup', { repository, ...key, mode: 'incremental', devices: [image], ...scanning }),
    restore: (_image, target) => runOurs('restore', { repository, ...key, target }),
    toDevice: (device, mode) => runOurs('device', { repository, device, mode }),
    verify: () => runOurs('verify', { repository, ...key }),
    compare: (source, extents) => runOurs('compare', { repository, ...key, source, extents }),
  };
}

async function runOurs(program, task) {
  const { seconds, stdout } = await runMeasured(process.execPath, [new URL(`${program}.mjs`, import.meta.url).pathname], { input: JSON.stringify(task) });
  return { ...JSON.parse(stdout), seconds };
}
