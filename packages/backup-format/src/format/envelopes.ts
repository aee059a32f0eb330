import type { Json } from '../repository-api.ts';
import { decodeEnvelope, type EnvelopeObject, encodeEnvelope } from './envelope.ts';

/**
 * How an open repository writes and reads its JSON objects. Every one but the config and the key slots goes through this, so that an encrypted repository
 * seals them all the same way, bound to their key.
 */
export interface Envelopes {
  encode(object: EnvelopeObject, key: string, body: Json): Buffer;
  /** The body. Throws the code of the object's kind, or REPO_UNSUPPORTED_VERSION. */
  decode(object: EnvelopeObject, key: string, bytes: Uint8Array): unknown;
}

/** Of a repository without encryption: the checksum of the head is all that protects them. */
export const plainEnvelopes: Envelopes = {
  encode: (object, _key, body) => encodeEnvelope(object, body),
  decode: (object, _key, bytes) => decodeEnvelope(object, bytes),
};
