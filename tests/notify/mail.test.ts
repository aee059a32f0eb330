import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Scope, Secret, silentLogger, systemClock } from '@onevault/base';
import { type NotificationChannel, openNotifier } from '@onevault/server';
import { fleet, inventoryVm, runRecord, SmtpServer, type SmtpServerOptions, serverSettings } from '@onevault/server/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith, requiresCommand } from '../support/requires.ts';
import { testCertificates } from '../support/test-certificates.ts';

type Mail = Extract<NotificationChannel, { kind: 'smtp' }>;

describeWith([requiresCommand('openssl', 'apt-get install openssl')], 'mail', () => {
  const scope = new Scope();
  let directory: string;
  let ca: string;
  let tls: { readonly key: string; readonly cert: string };
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'onevault-mail-'));
    scope.defer(() => rm(directory, { recursive: true }));
    await testCertificates(directory);
    const read = (name: string): Promise<string> => readFile(join(directory, name), 'utf8');
    ca = await read('ca-cert.pem');
    tls = { key: await read('server-key.pem'), cert: await read('server-cert.pem') };
  });
  afterAll(() => scope[Symbol.asyncDispose]());

  async function world(server: SmtpServerOptions, channel: Partial<Mail> = {}, trusted: { readonly ca?: string } = { ca }) {
    const smtp = scope.use(await SmtpServer.start({ ...server, ...(channel.host !== undefined && { address: channel.host }) }));
    const mail: Mail = {
      name: 'mail',
      kind: 'smtp',
      host: 'localhost',
      port: smtp.port,
      tls: 'starttls',
      user: undefined,
      secretFile: undefined,
      from: 'onevault@example.org',
      to: ['ops@example.org', 'night@example.org'],
      on: ['failed'],
      quietForMs: 1,
      ...channel,
    };
    const { inventory, catalog } = fleet({ vms: [inventoryVm(17)], capturedMs: () => Date.now() });
    let ids = 0;
    const open = () =>
      openNotifier({
        clock: systemClock,
        logger: silentLogger,
        random: () => 0,
        newId: () => `id-${++ids}`,
        directory: join(directory, `state-${smtp.port}`),
        server: 'backup-1',
        settings: () => serverSettings({ notifications: [mail] }),
        runs: { list: async () => [missed], onEnded: () => ({ [Symbol.dispose]: () => undefined }) },
        inventory,
        catalog,
        orphans: () => 0,
        readSecret: async () => new Secret('right-password'),
        ...trusted,
      });
    return { smtp, open, notifier: scope.use(await open()) };
  }
  /** What ended before anybody looked. */
  const missed = runRecord({
    vmName: 'web\r\nBcc: victim@example.org\r\n\r\n.\r\nMAIL FROM:<evil@example.org>',
    state: 'failed',
    endedAt: new Date(),
    failure: { code: 'ONE_LOCKED', message: 'locked\r\n.\r\nQUIT' },
  });

  it('goes encrypted by STARTTLS, to everybody, after a log-in', async () => {
    const { smtp, notifier } = await world({ tls, login: { user: 'vault', password: 'right-password' } }, { user: 'vault', secretFile: 'mail.secret' });
    await notifier.test('mail');
    expect(smtp.mails.find(({ data }) => data.includes('trial'))).toMatchObject({
      from: 'onevault@example.org',
      to: ['ops@example.org', 'night@example.org'],
      encrypted: true,
      user: 'vault',
    });
  });

  it('goes by TLS from the first byte', async () => {
    const { smtp, notifier } = await world({ tls: { ...tls, implicit: true } }, { tls: 'tls' });
    await notifier.test('mail');
    expect(smtp.mails.every(({ encrypted }) => encrypted)).toBe(true);
  });

  it('is one mail with one subject whatever a VM is called: no line or header of its own, no second mail', async () => {
    const { smtp } = await world({}, { tls: 'none' });
    await expect.poll(() => smtp.mails.length, { timeout: 10_000 }).toBe(1);
    const { data, to, from } = smtp.mails[0] ?? { data: '', to: [], from: '' };
    const [head = '', body = ''] = data.split(/\r\n\r\n/);
    expect({ from, to }).toEqual({ from: 'onevault@example.org', to: ['ops@example.org', 'night@example.org'] });
    expect(head.replace(/\r\n[ \t]/g, ' ')).toMatch(/^Subject: \[onevault backup-1\] failed: backup of VM web Bcc: victim@example\.org/m);
    expect(head).not.toMatch(/^Bcc:/im);
    expect(body).toContain('locked . QUIT');
    expect(smtp.mails).toHaveLength(1);
  });

  it.each([
    ['a certificate that nobody vouches for', { hasTls: true }, {}, {}],
    ['a certificate of another host', { hasTls: true }, { host: '127.0.0.2' }, undefined],
    ['a server that cannot encrypt', { hasTls: false }, {}, undefined],
    ['a password that would go in the clear', { hasTls: false }, { tls: 'none', user: 'vault' }, undefined],
  ] as const)('is not sent to %s', async (_, { hasTls }, channel, trusted) => {
    const { smtp, notifier } = await world(hasTls ? { tls } : {}, channel, trusted);
    await expect(notifier.test('mail')).rejects.toMatchObject({ code: 'SERVER_NOTIFICATION_FAILED' });
    expect(smtp.mails).toEqual([]);
    // It is the certificate that it was about, not a server that is not there.
    if (hasTls) expect(smtp.connections).toBeGreaterThan(0);
  });

  it('that is refused waits, says why without the password, and goes when it is taken', async () => {
    let reply = '451 later';
    const { smtp, notifier, open } = await world(
      { tls, recipientReply: () => reply, login: { user: 'vault', password: 'right-password' } },
      { user: 'vault', secretFile: 'mail.secret' },
    );
    const error: unknown = await notifier.test('mail').catch((refused: unknown) => refused);
    expect(JSON.stringify(error)).toContain('451');
    expect(JSON.stringify(error)).not.toContain('right-password');
    await expect.poll(() => notifier.standing()[0]?.pending).toBe(1);
    await notifier[Symbol.asyncDispose]();
    reply = '250 ok';
    await using _ = await open();
    await expect.poll(() => smtp.mails.length, { timeout: 10_000 }).toBe(1);
  });
});
