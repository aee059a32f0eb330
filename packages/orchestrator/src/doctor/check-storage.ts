import type { CallOptions } from '@onevault/base';
import type { StorageFinding } from '@onevault/proxy-attach';
import { type Checked, type Finding, ok, trouble } from './finding.ts';

/** Whether something on the proxy machine would touch the disks of guests without being asked: LVM, multipath, RAID, automounters. */
export async function* checkStorage(storage: (options: CallOptions) => Promise<readonly StorageFinding[]>, options: CallOptions): Checked {
  for (const finding of await storage(options)) yield asFinding(finding);
}

function asFinding({ subsystem, severity, code, seen, why, fix, fixable }: StorageFinding): Finding {
  if (severity === 'ok' || code === undefined) return ok('storage', `STORAGE_${subsystem.toUpperCase()}`, subsystem, seen);
  const remedy = fixable ? `${fix} (doctor --fix makes this setting)` : fix;
  return trouble('storage', severity === 'danger' ? 'problem' : 'warning', code, subsystem, `${seen}: ${why}`, remedy);
}
