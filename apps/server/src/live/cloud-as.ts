import type { CallOptions } from '@onevault/base';
import { type Network, type OneApi, OneError } from '@onevault/one-client';
import type { Caller } from '../ports/call.ts';

/**
 * The cloud as it looks to the caller, by a client that is a cloud administrator: for plans of what becomes theirs. Rights and quotas are judged as theirs, and networks that they
 * may not USE are not there; of datastores the checks say it themselves. Only for looking: what acts would act as the administrator.
 */
export function cloudAs(cloud: OneApi, caller: Caller): OneApi {
  const mayUseNetwork = (network: Network): boolean => caller.may('use', { kind: 'NET', ...network });
  return {
    ...cloud,
    whoAmI: (options?: CallOptions) => cloud.user(caller.userId, options),
    networks: async (options) => (await cloud.networks(options)).filter(mayUseNetwork),
    async network(id, options) {
      const network = await cloud.network(id, options);
      if (!mayUseNetwork(network))
        throw new OneError('ONE_AUTHORIZATION', `${caller.user} may not use network ${id}`, { details: { method: 'one.vn.info', objectId: id } });
      return network;
    },
  };
}
