import type { Attribute, Attributes, Vm } from '@onevault/one-client';
import { z } from 'zod';

/** One attribute that OpenNebula keeps encrypted, and what it says. `path`: `['CONTEXT', 'PASSWORD']`; of several vectors of a name also the number. */
export interface SecretValue {
  readonly path: readonly string[];
  readonly value: string;
}

/** The secrets of one VM and its images, in the clear: a file of an encrypted repository, and of no other. */
export interface Secrets {
  readonly template: readonly SecretValue[];
  readonly userTemplate: readonly SecretValue[];
  readonly images: Readonly<Record<string, readonly SecretValue[]>>;
}

const secretValues = z.array(z.object({ path: z.array(z.string()).min(1), value: z.string() }));
const secretsFile = z.object({ secretsVersion: z.literal(1), template: secretValues, userTemplate: secretValues, images: z.record(z.string(), secretValues) });

export function encodeSecrets(secrets: Secrets): string {
  return `${JSON.stringify({ secretsVersion: 1, ...secrets })}\n`;
}

/** Throws ZodError or SyntaxError for what `encodeSecrets` did not write. */
export function decodeSecrets(text: string): Secrets {
  return secretsFile.parse(JSON.parse(text));
}

export function countSecrets(secrets: Secrets): number {
  return [secrets.template, secrets.userTemplate, ...Object.values(secrets.images)].reduce((sum, values) => sum + values.length, 0);
}

/** The attributes that are cipher text in one reading of an object and something else in the other, which was asked to decrypt them. */
export function revealedSecrets(encrypted: Attributes, clear: Attributes): SecretValue[] {
  return leaves(encrypted).flatMap(({ path, value }) => {
    const revealed = valueAt(clear, path);
    return isCipherText(value) && revealed !== undefined && revealed !== value ? [{ path, value: revealed }] : [];
  });
}

/** The attributes with these secrets in their places; a place that is not there any more is passed over. */
export function withSecrets(attributes: Attributes, secrets: readonly SecretValue[]): Attributes {
  return secrets.reduce((now, { path, value }) => (valueAt(now, path) === undefined ? now : (replaceAt(now, path, value) as Attributes)), attributes);
}

/** VM_ENCRYPTED_ATTR of a stock oned.conf. */
const STOCK_ENCRYPTED: readonly (readonly string[])[] = [['CONTEXT', 'PASSWORD'], ['ONE_PASSWORD']];

/** Paths of a VM's attributes that are cipher text, as far as can be told without its key: those a stock OpenNebula encrypts, with a value that looks it. */
export function cipherTexts(vm: Pick<Vm, 'template' | 'userTemplate'>): readonly (readonly string[])[] {
  return STOCK_ENCRYPTED.filter((path) => isCipherText(valueAt(vm.template, path) ?? valueAt(vm.userTemplate, path) ?? ''));
}

/** The attribute at this path taken out. */
export function withoutPath(attributes: Attributes, path: readonly string[]): Attributes {
  const [name, ...rest] = path;
  if (name === undefined || attributes[name] === undefined) return attributes;
  const { [name]: found, ...others } = attributes;
  if (rest.length === 0) return others;
  return isVector(found) ? { ...others, [name]: withoutPath(found, rest) } : attributes;
}

/** Base64 of AES-256-CBC, which comes in blocks of 16 bytes (src/common/SSLUtil.cc). */
function isCipherText(value: string): boolean {
  const text = value.replace(/\s/g, '');
  return text.length >= 24 && text.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(text) && Buffer.from(text, 'base64').length % 16 === 0;
}

function leaves(attribute: Attribute, path: readonly string[] = []): SecretValue[] {
  if (typeof attribute === 'string') return [{ path, value: attribute }];
  return Object.entries(attribute).flatMap(([name, inner]: [string, Attribute]) => leaves(inner, [...path, name]));
}

function valueAt(attributes: Attribute, path: readonly string[]): string | undefined {
  let at: Attribute | undefined = attributes;
  for (const name of path) at = typeof at === 'object' ? Object.entries(at).find(([key]) => key === name)?.[1] : undefined;
  return typeof at === 'string' ? at : undefined;
}

function replaceAt(attribute: Attribute, path: readonly string[], value: string): Attribute {
  const [name, ...rest] = path;
  if (name === undefined) return value;
  if (isList(attribute)) return attribute.map((entry, at) => (String(at) === name ? replaceAt(entry, rest, value) : entry));
  if (typeof attribute === 'string') return attribute;
  return { ...attribute, [name]: replaceAt(attribute[name] ?? '', rest, value) };
}

function isList(attribute: Attribute): attribute is readonly Attribute[] {
  return Array.isArray(attribute);
}

function isVector(attribute: Attribute | undefined): attribute is Attributes {
  return typeof attribute === 'object' && !Array.isArray(attribute);
}
