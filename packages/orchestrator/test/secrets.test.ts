import { randomBytes } from 'node:crypto';
import type { Attributes } from '@onevault/one-client';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cipherTexts, countSecrets, decodeSecrets, encodeSecrets, revealedSecrets, withoutPath, withSecrets } from '../src/secrets.ts';

const cipher = (blocks = 2): string => randomBytes(16 * blocks).toString('base64');

const encrypted: Attributes = {
  MEMORY: '512',
  CONTEXT: { PASSWORD: cipher(), NETWORK: 'YES', SSH_PUBLIC_KEY: 'ssh-ed25519 AAAA' },
  DISK: [
    { IMAGE_ID: '1', KEY: cipher() },
    { IMAGE_ID: '2', KEY: cipher(3) },
  ],
};
const clear: Attributes = {
  MEMORY: '1024', // changed meanwhile: no secret
  CONTEXT: { PASSWORD: 'opensesame', NETWORK: 'YES', SSH_PUBLIC_KEY: 'ssh-ed25519 AAAA' },
  DISK: [
    { IMAGE_ID: '1', KEY: 'one' },
    { IMAGE_ID: '2', KEY: 'two' },
  ],
};

describe('secrets', () => {
  it('are what was cipher text in one reading and is not in the other', () => {
    expect(revealedSecrets(encrypted, clear)).toEqual([
      { path: ['CONTEXT', 'PASSWORD'], value: 'opensesame' },
      { path: ['DISK', '0', 'KEY'], value: 'one' },
      { path: ['DISK', '1', 'KEY'], value: 'two' },
    ]);
  });

  it('are none to a user who may not see them: the same cipher text came twice', () => {
    expect(revealedSecrets(encrypted, encrypted)).toEqual([]);
  });

  it('go back to their places, and nowhere else', () => {
    const restored = withSecrets(encrypted, revealedSecrets(encrypted, clear));
    expect(restored).toEqual({ ...clear, MEMORY: '512' });
    expect(withSecrets({ MEMORY: '512' }, revealedSecrets(encrypted, clear))).toEqual({ MEMORY: '512' });
  });

  it('survive their file', () => {
    const secrets = { template: revealedSecrets(encrypted, clear), userTemplate: [], images: { 7: [{ path: ['LUKS_PASSWORD'], value: 'ü "x"' }] } };
    expect(decodeSecrets(encodeSecrets(secrets))).toMatchObject(secrets);
    expect(countSecrets(secrets)).toBe(4);
    for (const bad of ['', '{}', '{"secretsVersion":2,"template":[],"userTemplate":[],"images":{}}']) expect(() => decodeSecrets(bad)).toThrow();
  });

  it('that stayed encrypted are known by what a stock OpenNebula encrypts and by their look', () => {
    expect(cipherTexts({ template: encrypted, userTemplate: { ONE_PASSWORD: cipher() } })).toEqual([['CONTEXT', 'PASSWORD'], ['ONE_PASSWORD']]);
    for (const plain of ['opensesame', '', 'a word of 24 characters!', 'AAAAAAAAAAAAAAAAAAAAAAAA']) {
      expect(cipherTexts({ template: { CONTEXT: { PASSWORD: plain } }, userTemplate: {} })).toEqual([]);
    }
  });

  it('are taken out alone', () => {
    expect(withoutPath(encrypted, ['CONTEXT', 'PASSWORD'])['CONTEXT']).toEqual({ NETWORK: 'YES', SSH_PUBLIC_KEY: 'ssh-ed25519 AAAA' });
    expect(withoutPath(encrypted, ['CONTEXT', 'NOTHING'])).toEqual(encrypted);
    expect(withoutPath(encrypted, ['MEMORY', 'PASSWORD'])).toEqual(encrypted);
  });

  it('of any attributes put back what was revealed', () => {
    const name = fc.string({ unit: fc.constantFrom('A', 'B', '_', '1'), minLength: 1, maxLength: 3 });
    const value = fc.oneof(fc.constant(undefined), fc.string({ maxLength: 8 }));
    const flat = fc.dictionary(name, value);
    fc.assert(
      fc.property(fc.dictionary(name, fc.oneof(value, flat, fc.array(flat, { maxLength: 3 }))), (shape) => {
        const secret: Attributes = JSON.parse(JSON.stringify(shape, (_key, inner) => (inner === undefined || inner === null ? 'S3CRET' : inner)));
        const hidden: Attributes = JSON.parse(JSON.stringify(secret, (_key, inner) => (inner === 'S3CRET' ? cipher() : inner)));
        expect(withSecrets(hidden, revealedSecrets(hidden, secret))).toEqual(secret);
      }),
    );
  });
});
