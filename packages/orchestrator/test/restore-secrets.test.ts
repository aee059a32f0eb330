import { randomBytes } from 'node:crypto';
import type { RestorePoint } from '@onevault/backup-format';
import { describe, expect, it } from 'vitest';
import type { JobDeps } from '../src/ports.ts';
import { withKeptSecrets } from '../src/restore-secrets.ts';
import { encodeSecrets } from '../src/secrets.ts';
import { buildVm } from '../testing/index.ts';

const HERE = 'http://here:2633/RPC2';
const cipher = randomBytes(32).toString('base64');
const saved = buildVm({ template: { MEMORY: '512', CONTEXT: { PASSWORD: cipher, NETWORK: 'YES' } }, userTemplate: { ONE_PASSWORD: cipher, LABELS: 'x' } });

function pointFrom(endpoint: string, secrets?: string): { readonly deps: JobDeps; readonly point: RestorePoint } {
  const metadata = [{ name: 'vm.xml' }, ...(secrets === undefined ? [] : [{ name: 'secrets.json' }])];
  const repository = { readMetadata: async () => new TextEncoder().encode(secrets) };
  return {
    deps: { cloud: { endpoint: new URL(HERE) }, repository } as unknown as JobDeps,
    point: { metadata, annotations: { cloud: { endpoint, version: '7.0.2' } } } as unknown as RestorePoint,
  };
}

describe('the secrets of a VM that is restored', () => {
  it('go back as cipher text to the OpenNebula they came from', async () => {
    const { deps, point } = pointFrom(HERE);
    expect(await withKeptSecrets(deps, point, saved, {})).toEqual({ vm: saved, notes: [] });
  });

  it('are left out, by name, where nobody could decrypt them', async () => {
    const { deps, point } = pointFrom('http://elsewhere:2633/RPC2');
    const { vm, notes } = await withKeptSecrets(deps, point, saved, {});
    expect(vm.template).toEqual({ MEMORY: '512', CONTEXT: { NETWORK: 'YES' } });
    expect(vm.userTemplate).toEqual({ LABELS: 'x' });
    expect(notes).toEqual([{ code: 'SECRET_OTHER_CLOUD', message: expect.stringMatching(/CONTEXT\/PASSWORD, ONE_PASSWORD .*elsewhere/) }]);
    expect(JSON.stringify(notes)).not.toContain(cipher);
  });

  it('that were kept in the clear are used anywhere', async () => {
    const kept = encodeSecrets({
      template: [{ path: ['CONTEXT', 'PASSWORD'], value: 'opensesame' }],
      userTemplate: [{ path: ['ONE_PASSWORD'], value: 'two' }],
      images: {},
    });
    const { deps, point } = pointFrom('http://elsewhere:2633/RPC2', kept);
    const { vm, notes } = await withKeptSecrets(deps, point, saved, {});
    expect(vm.template['CONTEXT']).toEqual({ PASSWORD: 'opensesame', NETWORK: 'YES' });
    expect(vm.userTemplate['ONE_PASSWORD']).toBe('two');
    expect(notes).toEqual([]);
  });

  it('are no matter where there are none', async () => {
    const { deps, point } = pointFrom('http://elsewhere:2633/RPC2');
    const plain = buildVm({ template: { CONTEXT: { PASSWORD: 'typed by hand' } } });
    expect(await withKeptSecrets(deps, point, plain, {})).toEqual({ vm: plain, notes: [] });
  });
});
