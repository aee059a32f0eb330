/// <reference path="./xmlrpc.d.ts" />
import CustomType from 'xmlrpc/lib/customtype.js';
import Deserializer from 'xmlrpc/lib/deserializer.js';
import { serializeMethodCall } from 'xmlrpc/lib/serializer.js';
import { OneError } from './errors.ts';
import type { XmlRpcArgument, XmlRpcCall, XmlRpcValue } from './transport.ts';

/**
 * The package's own string encoding puts text with `<` or `&` into CDATA and splits only the first `]]>`: a second one ends the element and
 * what follows is read as further parameters. A CustomType is escaped instead.
 */
class WireString extends CustomType {
  override readonly tagName = 'string';
}

/** The request body. Throws ONE_ARGUMENT_INVALID for what XML or oned's 32-bit integers cannot carry. */
export function encodeCall(call: XmlRpcCall): string {
  const params = [
    new WireString(checkText(call.session.reveal(), call.method, 'the session')),
    ...call.args.map((arg, i) => encodeArgument(arg, call.method, i)),
  ];
  return serializeMethodCall(call.method, params);
}

function encodeArgument(arg: XmlRpcArgument, method: string, index: number): unknown {
  if (typeof arg === 'string') return new WireString(checkText(arg, method, `argument ${index + 1}`));
  if (typeof arg === 'number' && !(Number.isInteger(arg) && Math.abs(arg) <= 0x7fffffff)) {
    throw new OneError('ONE_ARGUMENT_INVALID', `${method}: argument ${index + 1} (${arg}) is not a 32-bit integer`, { details: { method, executed: 'no' } });
  }
  return arg;
}

const NOT_XML = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;

function checkText(text: string, method: string, what: string): string {
  const bad = NOT_XML.exec(text)?.[0];
  if (bad === undefined) return text;
  const point = (bad.codePointAt(0) ?? 0).toString(16).padStart(4, '0');
  throw new OneError('ONE_ARGUMENT_INVALID', `${method}: ${what} has the character U+${point}, which XML cannot carry`, {
    details: { method, executed: 'no' },
  });
}

export type Decoded =
  | { readonly kind: 'value'; readonly value: XmlRpcValue }
  | { readonly kind: 'fault'; readonly faultCode: number; readonly faultString: string }
  | { readonly kind: 'invalid'; readonly reason: string };

/** Decodes a response as it arrives. Fed by hand: a fault without a struct throws inside the package, which behind `pipe` would end the process. */
export class ResponseDecoder {
  readonly #deserializer = new Deserializer('utf8');
  #decoded: Decoded | undefined;

  constructor() {
    const source = { setEncoding: () => undefined, on: () => undefined, pipe: () => undefined };
    this.#deserializer.deserializeMethodResponse(source, (error, value) => {
      this.#decoded ??= error ? decodeError(error) : { kind: 'value', value: value as XmlRpcValue };
    });
  }

  /** The verdict, when it is already clear that the rest need not be read. */
  write(chunk: Uint8Array): Decoded | undefined {
    return this.#guard(() => this.#deserializer.parser.write(chunk));
  }

  end(): Decoded {
    return this.#guard(() => this.#deserializer.parser.end()) ?? { kind: 'invalid', reason: 'it ends too early' };
  }

  #guard(step: () => unknown): Decoded | undefined {
    try {
      if (!this.#decoded) step();
    } catch (error) {
      this.#decoded ??= { kind: 'invalid', reason: error instanceof Error ? error.message : String(error) };
    }
    return this.#decoded;
  }
}

function decodeError(error: unknown): Decoded {
  if (!(error instanceof Error)) return { kind: 'invalid', reason: String(error) };
  if ('faultCode' in error && 'faultString' in error) {
    return { kind: 'fault', faultCode: Number(error.faultCode), faultString: String(error.faultString) };
  }
  return { kind: 'invalid', reason: error.message.split('\n', 1)[0] ?? '' };
}
