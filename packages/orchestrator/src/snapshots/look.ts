import type { CallOptions } from '@onevault/base';
import type { Vm, VmId } from '@onevault/one-client';
import { settled } from '../cloud/when-free.ts';
import { type ControlDeps, DEFAULT_PATIENCE } from '../ports.ts';

/** The VM once nobody works on it, and the version whose rules hold. */
export async function lookAt(
  deps: Pick<ControlDeps, 'cloud' | 'clock' | 'patience'>,
  id: VmId,
  what: string,
  options: CallOptions,
): Promise<{ readonly vm: Vm; readonly version: string }> {
  const patience = deps.patience ?? DEFAULT_PATIENCE;
  const version = await deps.cloud.version(options);
  const vm = await settled({ cloud: deps.cloud, clock: deps.clock, patience }, id, what, { ...options, timeoutMs: patience.busyMs });
  return { vm, version };
}
