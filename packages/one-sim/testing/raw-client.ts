import { request } from 'node:http';
import { XMLParser } from 'fast-xml-parser';

/** An answer of oned as it came over the wire. */
export interface RawAnswer {
  readonly ok: boolean;
  /** Result of a success, text of a refusal, faultString of a fault. */
  readonly value: string;
  readonly code: number;
  readonly objectId: number | undefined;
  readonly fault: boolean;
  readonly xml: string;
}

/** A parameter that goes out under another type than its own, to provoke a fault. */
export interface TypedParameter {
  readonly tag: string;
  readonly text: string;
}

type Parameter = string | number | boolean | TypedParameter;

/** XML-RPC without a client library between: what is sent and received is seen as it is. */
export function rawClient(endpoint: URL, session: string): (method: string, ...params: Parameter[]) => Promise<RawAnswer> {
  return async (method, ...params) => parseAnswer(await postXml(endpoint, callXml(method, [session, ...params])));
}

export function callXml(method: string, params: readonly Parameter[]): string {
  const body = params.map((param) => `<param><value>${valueXml(param)}</value></param>`).join('');
  return `<?xml version="1.0"?><methodCall><methodName>${method}</methodName><params>${body}</params></methodCall>`;
}

function valueXml(param: Parameter): string {
  if (typeof param === 'number') return `<int>${param}</int>`;
  if (typeof param === 'boolean') return `<boolean>${param ? 1 : 0}</boolean>`;
  if (typeof param === 'string') return `<string>${escapeText(param)}</string>`;
  return `<${param.tag}>${escapeText(param.text)}</${param.tag}>`;
}

const escapeText = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

export function postXml(endpoint: URL, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request(
      endpoint,
      { method: 'POST', agent: false, headers: { 'content-type': 'text/xml', 'content-length': Buffer.byteLength(body) } },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

const parser = new XMLParser({
  ignoreAttributes: true,
  ignoreDeclaration: true,
  parseTagValue: false,
  trimValues: false,
  processEntities: true,
  preserveOrder: false,
});

/** Reads the three- and five-element answers and faults; throws on anything else. */
export function parseAnswer(xml: string): RawAnswer {
  const response = child(parser.parse(xml, true), 'methodResponse');
  const fault = maybe(response, 'fault');
  if (fault !== undefined) {
    const members = list(child(child(child(fault, 'value'), 'struct'), 'member'));
    const member = (name: string): unknown =>
      child(
        members.find((one) => text(child(one, 'name')) === name),
        'value',
      );
    return {
      ok: false,
      value: text(child(member('faultString'), 'string')),
      code: Number(text(child(member('faultCode'), 'i4'))),
      objectId: undefined,
      fault: true,
      xml,
    };
  }
  const values = list(child(child(child(child(child(child(response, 'params'), 'param'), 'value'), 'array'), 'data'), 'value'));
  const scalars = values.map((value) =>
    text(Object.values(record(value)).find((inner) => typeof inner !== 'string' || inner.trim() !== '' || Object.keys(record(value)).length === 1)),
  );
  const ok = scalars[0] === '1';
  if (values.length !== (ok ? 3 : 5)) throw new Error(`an answer of ${values.length} elements`);
  return { ok, value: scalars[1] ?? '', code: Number(scalars[2]), objectId: ok ? undefined : Number(scalars[3]), fault: false, xml };
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function maybe(value: unknown, name: string): unknown {
  return record(value)[name];
}

function child(value: unknown, name: string): unknown {
  const found = maybe(value, name);
  if (found === undefined) throw new Error(`no <${name}>`);
  return found;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value];
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : String(maybe(value, '#text') ?? '');
}
