import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';
import { type Attributes, type Vector, vectorsOf } from '../template/attributes.ts';

/** What a stock oned.conf encrypts: VM_ENCRYPTED_ATTR = "CONTEXT/PASSWORD". */
const VM_ENCRYPTED: readonly (readonly [vector: string, name: string])[] = [['CONTEXT', 'PASSWORD']];

/** VirtualMachineTemplate::encrypt: in place; what this zone's key encrypted already stays as it is. */
export function encryptVmAttributes(attributes: Attributes, zoneKey: string): void {
  eachEncrypted(attributes, (vector, name, value) => {
    if (decryptText(value, zoneKey) === undefined) vector[name] = encryptText(value, zoneKey);
  });
}

/** As the template is printed for an admin who passed `decrypt`: a copy. */
export function decryptedVmAttributes(attributes: Attributes, zoneKey: string): Attributes {
  const copy = structuredClone(attributes);
  eachEncrypted(copy, (vector, name, value) => {
    vector[name] = decryptText(value, zoneKey) ?? value;
  });
  return copy;
}

function eachEncrypted(attributes: Attributes, change: (vector: Vector, name: string, value: string) => void): void {
  for (const [vectorName, name] of VM_ENCRYPTED) {
    for (const vector of vectorsOf(attributes, vectorName)) {
      const value = vector[name];
      if (value !== undefined && value !== '') change(vector, name, value);
    }
  }
}

const cipherKey = (zoneKey: string): Buffer => createHash('sha256').update(zoneKey).digest();
const NO_IV = Buffer.alloc(16);

/** one_util::aes256cbc_encrypt: base64 of AES-256-CBC. */
function encryptText(text: string, zoneKey: string): string {
  const cipher = createCipheriv('aes-256-cbc', cipherKey(zoneKey), NO_IV);
  return Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]).toString('base64');
}

function decryptText(text: string, zoneKey: string): string | undefined {
  try {
    const decipher = createDecipheriv('aes-256-cbc', cipherKey(zoneKey), NO_IV);
    const bytes = Buffer.concat([decipher.update(Buffer.from(text, 'base64')), decipher.final()]);
    return bytes.length > 0 && Buffer.from(text, 'base64').length > 0 ? bytes.toString('utf8') : undefined;
  } catch {
    return undefined; // wrong length or padding: not what this key encrypted
  }
}
