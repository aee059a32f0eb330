import type { CallOptions } from '@onevault/base';
import { isRunning, mayDo, type OneApi, type Vm, type VmId, vmStateName } from '@onevault/one-client';
import type { Surroundings } from '../plan/surroundings.ts';
import { type Checked, type Finding, ok, trouble } from './finding.ts';

/** OpenNebula's SCSI addresses end at sdz, PCI slots before (opennebula.md g.3); a backup takes one for each disk it reads at a time. */
const MANY_DISKS = 16;
/** Disks of ours carry it. */
const OWN_SERIAL = /^ov-/;

/** The VM that disks are attached to: running, ours to change, with room for disks and nothing forgotten in it. */
export async function* checkProxy(
  deps: { readonly identification: (version: string) => string },
  cloud: OneApi,
  proxyVm: VmId,
  { version, caller }: Surroundings,
  options: CallOptions,
): Checked {
  const vm = await cloud.vm(proxyVm, options);
  const subject = `proxy VM ${vm.id} ${vm.name}`;
  yield stateFinding(vm, subject);
  const may = caller === undefined ? 'unknown' : mayDo(caller.user, 'manage', { kind: 'VM', ...vm }, caller.rules).may;
  if (may === 'no') {
    const remedy = vm.lock ? `onevm unlock ${vm.id}` : `give the user MANAGE on it (onevm chown ${vm.id}, chmod, or an access rule)`;
    yield trouble('proxy', 'problem', 'PROXY_RIGHTS', subject, `we may not attach disks to it${vm.lock ? ': it is locked' : ''}`, remedy);
  }
  yield roomFinding(vm, subject);
  yield ok('proxy', 'PROXY_IDENTIFICATION', subject, `disks are told apart ${deps.identification(version)}`);
  yield* forgottenDisks(vm, subject);
  if (vm.backupConfig['MODE'] === 'INCREMENT')
    yield trouble(
      'proxy',
      'warning',
      'PROXY_NATIVE_BACKUP',
      subject,
      "OpenNebula's own incremental backup is on for it: every disk that is attached resets its chain",
      `take the proxy VM out of backup jobs (onevm updateconf ${vm.id}, BACKUP_CONFIG MODE=FULL)`,
    );
}

function stateFinding(vm: Vm, subject: string): Finding {
  const state = vmStateName(vm);
  if (!isRunning(vm))
    return trouble('proxy', 'problem', 'PROXY_STATE', subject, `it is ${state}`, 'bring it to RUNNING: disks can be attached to a running VM only');
  return ok('proxy', 'PROXY_STATE', subject, `it is ${state}`);
}

function roomFinding(vm: Vm, subject: string): Finding {
  const text = `${vm.disks.length} disks are attached`;
  if (vm.disks.length < MANY_DISKS) return ok('proxy', 'PROXY_ROOM', subject, text);
  return trouble(
    'proxy',
    'warning',
    'PROXY_ROOM',
    subject,
    `${text}; targets end at the letter z`,
    'detach what it does not need, or back up fewer disks at once',
  );
}

function* forgottenDisks(vm: Vm, subject: string): Generator<Finding, void> {
  for (const disk of vm.disks) {
    if (disk.serial === undefined || !OWN_SERIAL.test(disk.serial)) continue;
    yield trouble(
      'proxy',
      'warning',
      'PROXY_DISK_OF_OURS',
      `${subject}, disk ${disk.diskId}`,
      `image ${disk.imageId ?? '?'} is attached with serial ${disk.serial}: a run is under way, or one died`,
      'if no run is under way: onevault recover; when its journal is lost, onevault cleanup --list',
    );
  }
}
