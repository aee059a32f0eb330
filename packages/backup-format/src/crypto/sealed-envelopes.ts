import { RepositoryError } from '../errors.ts';
import { asBuffer, fromHex, toHex } from '../format/bytes.ts';
import { canonicalJson } from '../format/canonical-json.ts';
import { decodeFrame, type EnvelopeObject, encodeFrame, envelopeCode, parseBody } from '../format/envelope.ts';
import type { Envelopes } from '../format/envelopes.ts';
import type { RandomBytes } from '../format/ids.ts';
import { SEAL_TAG_BYTES, seal, unseal } from './sealing.ts';

/** JSON objects of an encrypted repository: the body sealed and bound to kind and key, so that none passes for another or for one elsewhere (I33). */
export function sealedEnvelopes(key: Uint8Array, randomBytes: RandomBytes): Envelopes {
  return {
    encode: (object, objectKey, body) => {
      const { nonce, ciphertext, tag } = seal(key, place(object, objectKey), [Buffer.from(canonicalJson(body), 'utf8')], randomBytes);
      return encodeFrame(object, { algorithm: 'aes-256-gcm', nonce: toHex(nonce) }, Buffer.concat([...ciphertext, tag]));
    },
    decode: (object, objectKey, bytes) => {
      const { encryption, body } = decodeFrame(object, bytes);
      if (!encryption) throw refused(object, 'is not encrypted, unlike its repository');
      const sealed = { nonce: fromHex(encryption.nonce), ciphertext: body.subarray(0, -SEAL_TAG_BYTES), tag: body.subarray(-SEAL_TAG_BYTES) };
      const plain = unseal(key, place(object, objectKey), sealed);
      if (!plain) throw refused(object, 'is not what was sealed in this place: it was changed, or put here from elsewhere');
      return parseBody(object, asBuffer(plain));
    },
  };
}

function place(object: EnvelopeObject, objectKey: string): Buffer {
  return Buffer.from(`${object}\0${objectKey}`, 'utf8');
}

function refused(object: EnvelopeObject, why: string): RepositoryError {
  return new RepositoryError({ code: envelopeCode(object), message: `the ${object} ${why}` });
}
