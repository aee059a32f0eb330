import type { ServerResponse } from 'node:http';
import type { S3Refusal } from './refusal.ts';

export interface S3Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
}

export function xmlAnswer(root: string, content: string): S3Answer {
  return {
    status: 200,
    headers: { 'content-type': 'application/xml' },
    body: `<?xml version="1.0" encoding="UTF-8"?>\n<${root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${content}</${root}>`,
  };
}

/** The answer to a HEAD has no body, so it says nothing but the status. */
export function refusalAnswer({ status, code, message, fields }: S3Refusal): S3Answer {
  const more = Object.entries(fields).map(([name, value]) => tag(name, value));
  return {
    status,
    headers: { 'content-type': 'application/xml' },
    body: `<?xml version="1.0" encoding="UTF-8"?>\n<Error>${tag('Code', code)}${tag('Message', message)}${more.join('')}<RequestId>1</RequestId></Error>`,
  };
}

export function tag(name: string, value: string | number | boolean): string {
  return `<${name}>${String(value).replace(/[&<>]/g, (c) => `&#${c.charCodeAt(0)};`)}</${name}>`;
}

export function sendAnswer(response: ServerResponse, answer: S3Answer, isHead: boolean): void {
  const body = Buffer.from(answer.body ?? '');
  response.writeHead(answer.status, { 'content-length': String(body.length), ...answer.headers });
  response.end(isHead ? undefined : body);
}
