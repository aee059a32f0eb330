import { createHash } from 'node:crypto';
import { z } from 'zod';
import { RepositoryError, type RepositoryErrorCode } from '../errors.ts';
import type { Json } from '../repository-api.ts';
import { asBuffer } from './bytes.ts';
import { canonicalJson } from './canonical-json.ts';
import { DIGEST_HEX } from './ids.ts';
import { FORMAT_VERSION, MAX_HEAD_BYTES, MAX_JSON_BYTES, MAX_JSON_DEPTH } from './limits.ts';

/** docs/format.md section 4.1: a head line that carries the checksum, and the body line. `key` is a key slot, `mark` a hold or tags of a restore point. */
const ENVELOPE_OBJECTS = ['config', 'point', 'key', 'lease', 'mark', 'verify', 'gc', 'drill'] as const;
export type EnvelopeObject = (typeof ENVELOPE_OBJECTS)[number];

const CODES: Readonly<Record<EnvelopeObject, RepositoryErrorCode>> = {
  config: 'REPO_CONFIG_INVALID',
  point: 'REPO_MANIFEST_INVALID',
  key: 'REPO_KEY_INVALID',
  lease: 'REPO_LEASE_INVALID',
  mark: 'REPO_MARK_INVALID',
  verify: 'REPO_VERIFY_RECORD_INVALID',
  gc: 'REPO_GC_RECORD_INVALID',
  drill: 'REPO_DRILL_RECORD_INVALID',
};
const NEWLINE = 0x0a;

/** How a body is sealed; section 17.5. */
const sealSchema = z.strictObject({ algorithm: z.literal('aes-256-gcm'), nonce: z.string().regex(/^[0-9a-f]{48}$/) });
export type EnvelopeSeal = z.infer<typeof sealSchema>;

const headSchema = z.strictObject({
  encryption: z.nullable(sealSchema),
  length: z.int().min(2).max(MAX_JSON_BYTES),
  object: z.enum(ENVELOPE_OBJECTS),
  sha256: z.string().regex(DIGEST_HEX),
  version: z.literal(FORMAT_VERSION),
});

export function encodeEnvelope(object: EnvelopeObject, body: Json): Buffer {
  return encodeFrame(object, null, Buffer.from(canonicalJson(body), 'utf8'));
}

/** The head and a body that is JSON, or sealed as `encryption` says. */
export function encodeFrame(object: EnvelopeObject, encryption: EnvelopeSeal | null, body: Uint8Array): Buffer {
  const head = { encryption, length: body.length, object, sha256: sha256(body), version: FORMAT_VERSION };
  const out = Buffer.concat([Buffer.from(`${canonicalJson(head)}\n`, 'utf8'), body, Buffer.of(NEWLINE)]);
  if (out.length > MAX_JSON_BYTES)
    throw new RepositoryError({ code: 'REPO_TOO_LARGE', message: `the ${object} would have ${out.length} bytes, more than ${MAX_JSON_BYTES}` });
  return out;
}

/** The body, after version, length and checksum were checked in this order (I11, I13). Throws REPO_CONFIG_INVALID, REPO_MANIFEST_INVALID or REPO_UNSUPPORTED_VERSION. */
export function decodeEnvelope(object: EnvelopeObject, bytes: Uint8Array): unknown {
  const { encryption, body } = decodeFrame(object, bytes);
  if (encryption) throw invalid(CODES[object], `the ${object} is encrypted where nothing else is`);
  return parseBody(object, body);
}

/** What an object of this kind throws when it is damaged. */
export function envelopeCode(object: EnvelopeObject): RepositoryErrorCode {
  return CODES[object];
}

export function parseBody(object: EnvelopeObject, body: Buffer): unknown {
  return parseJson(CODES[object], body, `the ${object}`);
}

/** The body as it is stored, after version, length and checksum were checked. */
export function decodeFrame(object: EnvelopeObject, bytes: Uint8Array): { readonly encryption: EnvelopeSeal | null; readonly body: Buffer } {
  const code = CODES[object];
  const buffer = asBuffer(bytes);
  const end = buffer.subarray(0, MAX_HEAD_BYTES).indexOf(NEWLINE);
  if (buffer.length > MAX_JSON_BYTES || end < 0) throw invalid(code, `the ${object} does not begin with a head line`);
  const headBytes = buffer.subarray(0, end);
  const raw = parseJson(code, headBytes, `the head of the ${object}`);
  checkVersion(object, raw);
  const head = headSchema.safeParse(raw);
  // Compared as bytes, so that no flipped bit of the head stays unseen.
  if (!head.success || head.data.object !== object || !headBytes.equals(Buffer.from(canonicalJson(head.data))))
    throw invalid(code, `the head of the ${object} is damaged`);
  const body = buffer.subarray(end + 1, -1);
  if (buffer.length < end + 2 || body.length !== head.data.length || buffer.at(-1) !== NEWLINE)
    throw invalid(code, `the ${object} has ${body.length} bytes where its head says ${head.data.length}`);
  if (sha256(body) !== head.data.sha256) throw invalid(code, `the ${object} fails its checksum`);
  return { encryption: head.data.encryption, body };
}

/** A newer version is told apart from damage, so that the person updates onevault instead of looking for a broken disk. */
function checkVersion(object: EnvelopeObject, head: unknown): void {
  if (typeof head !== 'object' || head === null) return;
  const version = 'version' in head ? head.version : undefined;
  const encryption = 'encryption' in head ? head.encryption : null;
  const unknownSeal = encryption !== null && !sealSchema.safeParse(encryption).success;
  if (Number.isSafeInteger(version) && Number(version) > FORMAT_VERSION) throw unsupportedVersion(object, Number(version));
  if (unknownSeal && version === FORMAT_VERSION) throw unsupportedVersion(object, FORMAT_VERSION, 'with an encryption that is not known');
}

export function unsupportedVersion(what: string, version: number, detail = ''): RepositoryError {
  return new RepositoryError({
    code: 'REPO_UNSUPPORTED_VERSION',
    message: `the ${what} has format version ${version}${detail && ` ${detail}`}; this onevault reads version ${FORMAT_VERSION}`,
    details: { version },
    hint: 'update onevault; nothing was changed',
  });
}

function parseJson(code: RepositoryErrorCode, bytes: Buffer, what: string): unknown {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    if (nesting(text) > MAX_JSON_DEPTH) throw new RangeError(`nested deeper than ${MAX_JSON_DEPTH} levels`);
    const value: unknown = JSON.parse(text);
    return value;
  } catch (error) {
    throw invalid(code, `${what} is not JSON: ${error instanceof Error ? error.message : String(error)}`, error);
  }
}

/** Deepest nesting of brackets outside strings: counted before parsing, because parsers recurse. */
function nesting(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '"') i = endOfString(text, i);
    else if (c === '{' || c === '[') depth += 1;
    else if (c === '}' || c === ']') depth -= 1;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}

/** Index of the quote that ends the string begun at `start`, or the end of the text. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function invalid(code: RepositoryErrorCode, message: string, cause?: unknown): RepositoryError {
  return new RepositoryError({ code, message, cause });
}
