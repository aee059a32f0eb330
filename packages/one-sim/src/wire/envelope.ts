import { Readable } from 'node:stream';
import Deserializer from 'xmlrpc/lib/deserializer.js';
import { FAULT_CODE, Fault, type Refusal } from './refusal.ts';

export interface MethodCall {
  readonly method: string;
  readonly params: readonly unknown[];
}

/** Reads a methodCall. Throws Fault as xmlrpc-c does for what it cannot read. */
export function parseCall(body: string): Promise<MethodCall> {
  return new Promise((resolve, reject) => {
    // No method of oned takes a <double>; the deserializer would hide that it is not an <int>.
    if (body.includes('<double>')) return reject(new Fault(FAULT_CODE.TYPE, 'Parameter that is supposed to be integer is not'));
    let settled = false;
    new Deserializer().deserializeMethodCall(Readable.from([Buffer.from(body)]), (error, method, params) => {
      if (settled) return;
      settled = true;
      if (error || method === undefined) {
        reject(new Fault(FAULT_CODE.PARSE, 'Call is not valid XML.  XML parsing failed'));
      } else resolve({ method, params: params ?? [] });
    });
  });
}

/** What a method gives back: an id, a text or XML, a flag. */
export type Answer = number | string | boolean;

export function successResponse(answer: Answer): string {
  return methodResponse([booleanValue(true), answerValue(answer), intValue(0)]);
}

/** Five elements: false, `[method] text`, code, object id, and the replication index, always -1 outside RAFT. */
export function refusalResponse(method: string, refusal: Refusal): string {
  const text = stringValue(`[${method}] ${refusal.message}`);
  return methodResponse([booleanValue(false), text, intValue(refusal.code), intValue(refusal.objectId), '<value><i8>-1</i8></value>']);
}

export function faultResponse(fault: Fault): string {
  return `${PROLOGUE}<methodResponse>\r\n<fault>\r\n<value><struct>\r\n<member><name>faultCode</name>\r\n${intValue(fault.faultCode)}</member>\r\n<member><name>faultString</name>\r\n${stringValue(fault.message)}</member>\r\n</struct></value>\r\n</fault>\r\n</methodResponse>\r\n`;
}

const PROLOGUE = '<?xml version="1.0" encoding="UTF-8"?>\r\n';

function methodResponse(values: readonly string[]): string {
  return `${PROLOGUE}<methodResponse>\r\n<params>\r\n<param><value><array><data>\r\n${values.map((value) => `${value}\r\n`).join('')}</data></array></value></param>\r\n</params>\r\n</methodResponse>\r\n`;
}

function answerValue(answer: Answer): string {
  if (typeof answer === 'number') return intValue(answer);
  return typeof answer === 'boolean' ? booleanValue(answer) : stringValue(answer);
}

const booleanValue = (value: boolean): string => `<value><boolean>${value ? 1 : 0}</boolean></value>`;
const intValue = (value: number): string => `<value><i4>${value}</i4></value>`;

/** Escapes as xmlrpc-c does: the three markup characters, and CR so that it survives line-end normalisation. */
const stringValue = (text: string): string => `<value><string>${text.replace(/[<>&\r]/g, (c) => ESCAPES[c] ?? c)}</string></value>`;

const ESCAPES: Readonly<Record<string, string>> = { '<': '&lt;', '>': '&gt;', '&': '&amp;', '\r': '&#x0d;' };
