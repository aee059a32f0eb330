import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startTestSimulator } from '@onevault/one-sim/testing';

export interface Crowd {
  readonly vms: number;
  readonly images: number;
}

/**
 * Fills a simulator's directory with that many VMs of other people, each with two disks, and images nobody uses. One of each is made as a user would,
 * the others are copies of its record: made one by one they would take minutes. The simulator must not be running.
 */
export async function fillWithOthers(dir: string, { vms, images }: Crowd): Promise<void> {
  const first = await startTestSimulator({ dir, proxy: true });
  const { vmId, imageIds } = await first.sim.control.createVm({ name: 'other', disks: [{ sizeMiB: 1 }, { sizeMiB: 1 }], nics: [], context: true });
  await first[Symbol.asyncDispose]();
  const path = join(dir, 'state.json');
  const state = JSON.parse(await readFile(path, 'utf8')) as State;
  const vm = state.vms.find(({ id }) => id === vmId);
  const image = state.images.find(({ id }) => id === imageIds[0]);
  if (!vm || !image) throw new Error('the simulator keeps its state in another way than this knows');
  for (let n = 1; n < vms; n++) state.vms.push({ ...vm, id: state.next.vm++, name: `other-${n}` });
  for (let n = 0; n < images; n++) state.images.push({ ...image, id: state.next.image++, name: `image-${n}`, state: READY, vmIds: [] });
  await writeFile(path, JSON.stringify(state));
}

const READY = 1;

interface State {
  readonly vms: { readonly id: number; readonly name: string }[];
  readonly images: { readonly id: number; readonly name: string; readonly state: number; readonly vmIds: readonly number[] }[];
  readonly next: { vm: number; image: number };
}
