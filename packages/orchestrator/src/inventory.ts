import type { CallOptions } from '@onevault/base';
import type { OneApi, Vm, VmId } from '@onevault/one-client';
import { type Metadata, type MetadataRequest, readMetadata } from './metadata.ts';

/** Everything the cloud says about a VM that a restore may want one day, read before anything is changed. */
export interface Inventory {
  readonly version: string;
  readonly vm: Vm;
  readonly metadata: Metadata;
}

export async function takeInventory(cloud: OneApi, id: VmId, request: MetadataRequest, options: CallOptions = {}): Promise<Inventory> {
  const version = await cloud.version(options);
  const vm = await cloud.vm(id, options);
  return { version, vm, metadata: await readMetadata(cloud, vm, request, options) };
}
