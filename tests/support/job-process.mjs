// One backup or restore in a process of its own, on built packages, so that a test can kill it: node job-process.mjs '<JSON of JobProcess>'
import { randomBytes } from 'node:crypto';
import { fileStore, openRepository } from '@onevault/backup-format';
import { Secret, silentLogger, systemClock } from '@onevault/base';
import { openBlockDevice, openWritableBlockDevice, scan } from '@onevault/block-cbt';
import { createOneClient } from '@onevault/one-client';
import { backupVm, fileJournals, proxyHotplug, restoreVm } from '@onevault/orchestrator';
import { chooseIdentification, createAttacher, machineHotplugLock, readSysfsDisks } from '@onevault/proxy-attach';

const job = JSON.parse(process.argv[2]);
const clock = {
  now: systemClock.now,
  monotonicMs: () => systemClock.monotonicMs() * job.hurry,
  sleep: (ms, options) => systemClock.sleep(ms / job.hurry, options),
};
const cloud = createOneClient({ endpoint: new URL(job.endpoint), session: new Secret(job.session), clock, callTimeoutMs: 10_000 * job.hurry });
const deps = {
  cloud,
  attacher: createAttacher({
    api: proxyHotplug(cloud, job.proxyVm),
    sysfs: (call) => readSysfsDisks(job.proxyRoot, call),
    clock,
    identification: chooseIdentification(await cloud.version()),
    lock: machineHotplugLock({ clock, proxyRoot: job.proxyRoot }),
  }),
  proxyVm: job.proxyVm,
  devices: { open: openBlockDevice, openWritable: openWritableBlockDevice, scan },
  repository: await openRepository(fileStore(job.repositoryPath), { clock: systemClock }),
  journals: fileJournals({ directory: job.journalPath }),
  clock,
  randomBytes,
  logger: silentLogger,
  emit: () => undefined,
};
await (job.kind === 'backup' ? backupVm(deps, job.request) : restoreVm(deps, job.request));
