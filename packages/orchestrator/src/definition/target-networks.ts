import type { CallOptions } from '@onevault/base';
import type { OneApi, Vm } from '@onevault/one-client';
import { JobError } from '../errors.ts';
import type { NetworkChange } from '../request.ts';
import { chooseNetworks, type NetworkTargets } from './network-map.ts';

/** The networks that were asked for. Throws JOB_NETWORK_INVALID where a change names none, or several. */
export async function targetNetworks(cloud: OneApi, saved: Vm, changes: readonly NetworkChange[], options: CallOptions): Promise<NetworkTargets> {
  if (changes.length === 0) return new Map();
  const { targets, problems } = chooseNetworks(saved, changes, await cloud.networks(options));
  const [first] = problems;
  if (first === undefined) return targets;
  throw new JobError({
    code: 'JOB_NETWORK_INVALID',
    message: problems.map(({ text }) => text).join('; '),
    details: { codes: problems.map(({ code }) => code) },
    hint: first.choices.length === 0 ? 'there is none to choose from' : `choose of: ${first.choices.join(', ')}`,
  });
}
