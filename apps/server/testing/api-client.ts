import { request as httpRequest } from 'node:http';
import type { accessSchemas, Problem, vmSchemas } from '@onevault/api';
import type { z } from 'zod';

type Fields = z.output<(typeof accessSchemas)['session']> &
  Omit<z.output<(typeof accessSchemas)['newToken']>, 'role'> &
  Problem &
  Pick<z.output<(typeof vmSchemas)['point']>, 'tags' | 'held'> &
  Pick<z.output<(typeof vmSchemas)['fileListing']>, 'entries'>;

/** What tests read of answers: each answer has the fields of its own schema only, and a list is none of this. */
type AnswerFields = Readonly<Fields>;

export interface RawReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** As JSON; undefined when it is none, whatever the type says. */
  readonly json: AnswerFields;
}

/** An answer that is of another shape than those: a list, a document. */
export function bodyAs<Body>({ json }: Pick<RawReply, 'json'>): Body {
  return json as unknown as Body;
}

export interface SendOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A string or bytes go as they are; anything else as JSON. */
  readonly body?: unknown;
}

/** One request on a connection of its own; nothing is followed, kept or retried. */
export function send(base: URL, path: string, { method = 'GET', headers = {}, body }: SendOptions = {}): Promise<RawReply> {
  const text = body === undefined || typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const sent = httpRequest(
      {
        host: base.hostname,
        port: base.port,
        path,
        method,
        agent: false,
        headers: { ...(text !== undefined && { 'content-type': 'application/json' }), ...headers },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const answer = Buffer.concat(chunks).toString('utf8');
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text: answer, json: parsed(answer) as AnswerFields });
        });
      },
    );
    sent.on('error', reject);
    sent.end(text);
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Who asks: the headers that say so. */
export interface Somebody {
  readonly headers: Readonly<Record<string, string>>;
}

export const ANYBODY: Somebody = { headers: {} };

/** A browser that has signed in. Throws when it was not let. */
export async function signIn(base: URL, user: string, password: string): Promise<Somebody & { readonly cookie: string; readonly csrfToken: string }> {
  const reply = await send(base, '/api/v1/session', { method: 'POST', body: { user, password } });
  if (reply.status !== 200) throw new Error(`${user} could not sign in: ${reply.status} ${reply.text}`);
  const [cookie = ''] = String(reply.headers['set-cookie']).split(';', 1);
  const csrfToken = reply.json.csrfToken;
  return { cookie, csrfToken, headers: { cookie, 'x-csrf-token': csrfToken } };
}

export const bearer = (secret: string): Somebody => ({ headers: { authorization: `Bearer ${secret}` } });
