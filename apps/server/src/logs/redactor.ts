import { redact, Secret, serializeError } from '@onevault/base';

const REDACTED = '[redacted]';

/** Fields that hold a secret whatever their value looks like. `secretFile` and `tokenId` are names and stay. */
const SECRET_FIELD = /(pass(word|phrase|wd)?|secret|token|authorization|cookie|csrf|credentials?|private[-_]?key|api[-_]?key|session[-_]?id|one_?auth)$/i;

/** What a text gives away by its form: the scheme of an Authorization header, a signed or a tokened URL, a setting in a command line. */
const SECRET_FORMS: readonly RegExp[] = [
  /\b(Bearer|Basic)\s+[\w+/=.~-]{8,}/gi,
  /\b(X-Amz-(?:Signature|Credential|Security-Token)|(?:access_)?token|pass(?:word|phrase)?|secret|signature|sig|code)=[^\s&"']+/gi,
];

/** Shorter ones would blacken words that only look like them. */
const KNOWN_MIN_CHARS = 6;
const MAX_TEXT_CHARS = 8192;
const MAX_ITEMS = 200;
const MAX_DEPTH = 8;

/**
 * Takes secrets out of what is written down: by what they are (`Secret`), by the field's name, by their form, and by value once they are known. Everything that
 * it answers is plain data of bounded size.
 */
export class Redactor {
  #known: string[] = [];

  /** From now on this value is never written. Its URL-encoded form neither. */
  know(value: string | undefined): void {
    if (value === undefined || value.length < KNOWN_MIN_CHARS) return;
    const forms = [value, encodeURIComponent(value), JSON.stringify(value).slice(1, -1)];
    // The longest first: one secret may be the beginning of another.
    this.#known = [...new Set([...this.#known, ...forms])].sort((a, b) => b.length - a.length);
  }

  text(text: string): string {
    const cut = text.length > MAX_TEXT_CHARS ? `${text.slice(0, MAX_TEXT_CHARS)}…` : text;
    // Known values before anything is cut out of them by form.
    const withoutKnown = this.#known.reduce((rest, value) => rest.replaceAll(value, REDACTED), cut);
    return SECRET_FORMS.reduce((rest, form) => rest.replace(form, (_, name: string) => `${name} ${REDACTED}`), redact(withoutKnown));
  }

  value(value: unknown): unknown {
    return this.#plain(value, MAX_DEPTH);
  }

  #plain(value: unknown, depth: number): unknown {
    if (typeof value === 'string') return this.text(value);
    if (typeof value === 'bigint') return String(value);
    if (typeof value === 'function' || typeof value === 'symbol') return undefined;
    if (typeof value !== 'object' || value === null) return value;
    return depth === 0 ? '[deeper]' : this.#object(value, depth - 1);
  }

  #object(value: object, depth: number): unknown {
    if (value instanceof Secret) return REDACTED;
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
    if (value instanceof URL) return this.text(value.href);
    if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
    if (value instanceof Error) return this.#plain(serializeError(value), depth);
    if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => this.#plain(item, depth));
    if (value instanceof Map) return this.#object(Object.fromEntries([...value].map(([key, item]) => [String(key), item])), depth);
    if (value instanceof Set) return this.#object([...value], depth);
    const fields = Object.entries(value).slice(0, MAX_ITEMS);
    return Object.fromEntries(fields.map(([key, field]) => [key, SECRET_FIELD.test(key) && !isPlainFact(field) ? REDACTED : this.#plain(field, depth)]));
  }
}

/** `token: true` or `secrets: 3` say nothing that must not be known. */
function isPlainFact(value: unknown): boolean {
  return value === undefined || value === null || typeof value === 'boolean' || (typeof value === 'number' && value < 1000);
}
