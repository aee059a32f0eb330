import type { CallOptions, Secret } from '@onevault/base';
import { createTransport } from 'nodemailer';
import { ServerError } from '../errors.ts';
import type { NotificationChannel } from '../ports/notification-channel.ts';
import { type Message, textOf, titleOf } from './message.ts';

type Mail = Extract<NotificationChannel, { kind: 'smtp' }>;

const TIMEOUT_MS = 20_000;

/**
 * Sends a message by SMTP. `starttls` goes on only encrypted, and certificates are checked against what Node trusts (NODE_EXTRA_CA_CERTS adds to it) or `ca`; a
 * password is never sent in the clear. Throws SERVER_NOTIFICATION_FAILED.
 */
export async function sendMail(
  channel: Mail,
  message: Message,
  secret: Secret | undefined,
  options: CallOptions & { readonly ca?: string } = {},
): Promise<void> {
  if (channel.tls === 'none' && channel.user !== undefined)
    throw failed(channel, 'a password would be sent in the clear', 'Use starttls or tls, or a server that needs no password');
  const transport = createTransport({
    host: channel.host,
    port: channel.port,
    secure: channel.tls === 'tls',
    requireTLS: channel.tls === 'starttls',
    ignoreTLS: channel.tls === 'none',
    tls: { minVersion: 'TLSv1.2', ...(options.ca !== undefined && { ca: options.ca }) },
    ...(channel.user !== undefined && { auth: { user: channel.user, pass: secret?.reveal() ?? '' } }),
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
    // A message is text: nothing in it may make the library read a file or an URL.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const stop = (): void => transport.close();
  options.signal?.addEventListener('abort', stop, { once: true });
  try {
    await untilAborted(
      transport.sendMail({
        from: channel.from,
        to: [...channel.to],
        subject: titleOf(message),
        text: textOf(message),
        messageId: `<${message.id}@onevault.invalid>`,
        // Nobody's absence need be announced to us (RFC 3834).
        headers: { 'Auto-Submitted': 'auto-generated' },
      }),
      options.signal,
    );
  } catch (cause) {
    options.signal?.throwIfAborted();
    throw failed(channel, cause instanceof Error ? cause.message : 'refused', 'Check host, port, tls, user and secret file of the channel', cause);
  } finally {
    options.signal?.removeEventListener('abort', stop);
    transport.close();
  }
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

function failed(channel: Mail, why: string, hint: string, cause?: unknown): ServerError {
  return new ServerError({
    code: 'SERVER_NOTIFICATION_FAILED',
    message: `notification ${channel.name} could not be delivered to ${channel.host}:${channel.port}: ${why}`,
    details: { channel: channel.name },
    hint,
    ...(cause !== undefined && { cause }),
  });
}
