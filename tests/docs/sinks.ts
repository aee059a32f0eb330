import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { Scope } from '@onevault/base';
import { SmtpServer } from '../../apps/server/testing/smtp-server.ts';
import type { Answered } from './answered-commands.ts';

/**
 * Where notifications of a page go: `sink mail CERT KEY USER PASSWORD-FILE` and `sink chat SECRET-FILE` listen and print their ports; `sink mails` and
 * `sink posts` print what has come. A post whose signature is wrong is refused.
 */
export function sinks(until: Scope): Readonly<Record<string, Answered>> {
  const scope = until.use(new Scope());
  let smtp: SmtpServer | undefined;
  const posts: string[] = [];
  return {
    'sink mail': async ([cert = '', key = '', user = '', secret = ''], cwd) => {
      const read = (path: string): Promise<string> => readFile(resolve(cwd, path), 'utf8');
      smtp = await SmtpServer.start({ tls: { cert: await read(cert), key: await read(key) }, login: { user, password: (await read(secret)).trim() } });
      scope.use(smtp);
      return String(smtp.port);
    },
    'sink mails': async () =>
      smtp?.mails.map(({ from, to, data, encrypted }) => `${encrypted ? 'TLS' : 'plain'} ${from} ${to.join()} ${data}`).join('\n') ?? '',
    'sink chat': async ([secretFile = ''], cwd) => {
      const secret = (await readFile(resolve(cwd, secretFile), 'utf8')).trim();
      const server = createServer((request, response) => {
        let body = '';
        request.on('data', (text) => (body += String(text)));
        request.on('end', () => {
          const [, time, given] = /^t=(\d+),v1=([0-9a-f]+)$/.exec(String(request.headers['x-onevault-signature'])) ?? [];
          const isRight = given === createHmac('sha256', secret).update(`${time}.${body}`).digest('hex');
          if (isRight) posts.push(body);
          response.writeHead(isRight ? 204 : 403).end();
        });
      });
      await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
      scope.defer(() => void server.close().closeAllConnections());
      return String((server.address() as AddressInfo).port);
    },
    'sink posts': async () => posts.join('\n'),
  };
}
