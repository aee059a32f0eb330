import { type OneApi, OneError } from '@onevault/one-client';

/** The calls that change something in the cloud: where a run can die and leave something behind. */
const CHANGING = [
  'createDiskSnapshot',
  'deleteDiskSnapshot',
  'revertDiskSnapshot',
  'saveDiskAs',
  'attachDisk',
  'detachDisk',
  'vmAction',
  'updateVm',
  'updateVmConfiguration',
  'updateImage',
  'chownVm',
  'chmodVm',
  'chownImage',
  'chmodImage',
  'allocateImage',
  'deleteImage',
  'setImagePersistent',
  'allocateTemplate',
  'instantiateTemplate',
  'deleteTemplate',
] as const satisfies readonly (keyof OneApi)[];

export type ChangingCall = (typeof CHANGING)[number];

/** unreachable: the call never arrives. lost-answer: it is carried out, and nobody hears of it. refused: OpenNebula says no. */
export type CloudFault = 'unreachable' | 'lost-answer' | 'refused';

export interface FaultyCloud {
  readonly api: OneApi;
  /** Names of the changing calls made so far, in order. */
  readonly calls: readonly ChangingCall[];
}

/** A cloud in which the `failAt`-th changing call (from 0) goes wrong, once. Without `failAt` it only counts. */
export function faultyCloud(real: OneApi, failAt?: number, fault: CloudFault = 'unreachable'): FaultyCloud {
  const calls: ChangingCall[] = [];
  const api = new Proxy(real, {
    get(target, property: keyof OneApi) {
      const value = target[property];
      if (!isChanging(property) || typeof value !== 'function') return value;
      return async (...args: unknown[]): Promise<unknown> => {
        const turn = calls.push(property) - 1;
        const call = (): Promise<unknown> => Reflect.apply(value, target, args);
        if (turn !== failAt) return call();
        if (fault === 'lost-answer') await call();
        throw failure(property, fault);
      };
    },
  });
  return { api, calls };
}

function isChanging(property: keyof OneApi): property is ChangingCall {
  return CHANGING.some((name) => name === property);
}

function failure(method: string, fault: CloudFault): OneError {
  if (fault === 'refused') return new OneError('ONE_ACTION', `${method}: refused on purpose`, { details: { method, oneCode: 2048 } });
  return new OneError('ONE_UNREACHABLE', `${method}: connection lost on purpose`, {
    details: { method, executed: fault === 'lost-answer' ? 'unknown' : 'no' },
  });
}
