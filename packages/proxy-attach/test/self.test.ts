import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findOwnVm, readProductUuid } from '../src/index.ts';

const UUID = '642655a7-64da-47a6-9ede-6d9e3fe55f31';

async function* vms(...candidates: { id: number; uuid: string | undefined }[]): AsyncGenerator<{ id: number; uuid: string | undefined }> {
  yield* candidates;
}

describe('findOwnVm', () => {
  it('is the VM with the uuid of this machine, in whatever case either is written', async () => {
    expect(await findOwnVm(vms({ id: 6, uuid: undefined }, { id: 7, uuid: UUID }), UUID.toUpperCase())).toBe(7);
    expect(await findOwnVm(vms({ id: 7, uuid: UUID.toUpperCase() }), `${UUID}\n`)).toBe(7);
  });

  it('is unknown when no VM of this cloud has it', async () => {
    await expect(findOwnVm(vms({ id: 6, uuid: 'another' }), UUID)).rejects.toMatchObject({ code: 'ATTACH_PROXY_UNKNOWN', details: { uuid: UUID } });
    await expect(findOwnVm(vms(), UUID)).rejects.toMatchObject({ code: 'ATTACH_PROXY_UNKNOWN' });
  });

  it('never matches an empty uuid', async () => {
    await expect(findOwnVm(vms({ id: 6, uuid: '' }), ' ')).rejects.toMatchObject({ code: 'ATTACH_PROXY_UNKNOWN' });
  });

  it('refuses to choose between two VMs with one uuid', async () => {
    await expect(findOwnVm(vms({ id: 6, uuid: UUID }, { id: 9, uuid: UUID }), UUID)).rejects.toMatchObject({
      code: 'ATTACH_PROXY_AMBIGUOUS',
      details: { vmIds: [6, 9] },
    });
  });

  it('stops with the reason of an aborted signal', async () => {
    const reason = new Error('stop');
    await expect(findOwnVm(vms({ id: 6, uuid: UUID }), UUID, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

describe('readProductUuid', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'ov-self-'));
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  async function writeUuid(text: string): Promise<void> {
    const path = join(root, 'sys/class/dmi/id/product_uuid');
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }

  it("reads the machine's uuid in lower case", async () => {
    await writeUuid(`${UUID.toUpperCase()}\n`);
    expect(await readProductUuid(root)).toBe(UUID);
  });

  it('is unknown on a machine without one', async () => {
    await expect(readProductUuid(root)).rejects.toMatchObject({ code: 'ATTACH_PROXY_UNKNOWN', cause: { code: 'ENOENT' } });
    await writeUuid('\n');
    await expect(readProductUuid(root)).rejects.toMatchObject({ code: 'ATTACH_PROXY_UNKNOWN' });
  });

  it('stops with the reason of an aborted signal', async () => {
    await writeUuid(UUID);
    const reason = new Error('stop');
    await expect(readProductUuid(root, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});
