import type { RestorePoint } from '@onevault/backup-format';
import type { CallOptions } from '@onevault/base';
import type { Attributes, Vm } from '@onevault/one-client';
import { SECRETS_FILE } from './metadata.ts';
import type { LookDeps } from './ports.ts';
import { cipherTexts, decodeSecrets, withoutPath, withSecrets } from './secrets.ts';

/** The saved VM as its new definition should be made from, and what was done to its secrets: names only, never values. */
export interface VmWithSecrets {
  readonly vm: Vm;
  readonly notes: readonly { readonly code: string; readonly message: string }[];
}

/**
 * Attributes that OpenNebula keeps encrypted, for the new VM. From the file of an encrypted repository they come in the clear, which any OpenNebula
 * encrypts anew. As cipher text they go back only to where they came from: oned knows its own (Attribute::encrypt tries to decrypt first), another
 * one would encrypt it once more, and the guest would set a password that nobody knows.
 */
export async function withKeptSecrets(
  deps: Pick<LookDeps, 'cloud' | 'repository'>,
  point: RestorePoint,
  saved: Vm,
  options: CallOptions,
): Promise<VmWithSecrets> {
  if (point.metadata.some((file) => file.name === SECRETS_FILE)) {
    const body = await deps.repository.readMetadata(point, SECRETS_FILE, options);
    const { template, userTemplate } = decodeSecrets(new TextDecoder().decode(body));
    return { vm: { ...saved, template: withSecrets(saved.template, template), userTemplate: withSecrets(saved.userTemplate, userTemplate) }, notes: [] };
  }
  const cipher = cipherTexts(saved);
  const origin = savedEndpoint(point);
  if (cipher.length === 0 || origin === deps.cloud.endpoint.href) return { vm: saved, notes: [] };
  const names = cipher.map((path) => path.join('/')).join(', ');
  const without = (attributes: Attributes): Attributes => cipher.reduce(withoutPath, attributes);
  const vm: Vm = { ...saved, template: without(saved.template), userTemplate: without(saved.userTemplate) };
  const message = `${names} is encrypted with the key of the OpenNebula it was saved from (${origin ?? 'unknown'}) and is left out; set it again with onevm updateconf`;
  return { vm, notes: [{ code: 'SECRET_OTHER_CLOUD', message }] };
}

function savedEndpoint(point: RestorePoint): string | undefined {
  const cloud = point.annotations['cloud'];
  if (cloud === null || typeof cloud !== 'object' || !('endpoint' in cloud)) return undefined;
  return typeof cloud['endpoint'] === 'string' ? cloud['endpoint'] : undefined;
}
