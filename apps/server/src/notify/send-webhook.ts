import { createHmac } from 'node:crypto';
import type { CallOptions, Secret } from '@onevault/base';
import { ServerError } from '../errors.ts';
import type { NotificationChannel } from '../ports/notification-channel.ts';
import { type Message, webhookBody } from './message.ts';

type Webhook = Extract<NotificationChannel, { kind: 'webhook' }>;

const TIMEOUT_MS = 20_000;

/**
 * Posts a message. With a secret it is signed: `X-Onevault-Signature: t=<seconds>,v1=<hex HMAC-SHA-256 of "<t>.<body>">`. A redirect is a failure: what was meant for
 * one place goes to no other. Throws SERVER_NOTIFICATION_FAILED.
 */
export async function sendWebhook(channel: Webhook, message: Message, secret: Secret | undefined, nowMs: number, { signal }: CallOptions = {}): Promise<void> {
  const { contentType, headers, body } = webhookBody(channel.format ?? 'json', message);
  const seconds = Math.floor(nowMs / 1000);
  const signature = secret === undefined ? undefined : createHmac('sha256', secret.reveal()).update(`${seconds}.${body}`).digest('hex');
  const response = await attempt(channel, () =>
    fetch(channel.url, {
      method: 'POST',
      body,
      redirect: 'manual',
      signal: AbortSignal.any([AbortSignal.timeout(TIMEOUT_MS), ...(signal ? [signal] : [])]),
      headers: {
        'content-type': contentType,
        'user-agent': 'onevault',
        'x-onevault-delivery': message.id,
        ...headers,
        ...(signature !== undefined && { 'x-onevault-signature': `t=${seconds},v1=${signature}` }),
      },
    }),
  );
  // Not read: its size is in nobody's hands but theirs.
  await response.body?.cancel();
  if (response.ok) return;
  const isRedirect = response.status >= 300 && response.status < 400;
  throw failed(
    channel,
    `it answered ${response.status}`,
    isRedirect ? 'Redirects are not followed: give the URL that answers itself' : 'Check URL and secret of the channel',
  );
}

async function attempt(channel: Webhook, post: () => Promise<Response>): Promise<Response> {
  try {
    return await post();
  } catch (cause) {
    throw failed(channel, cause instanceof Error ? reasonOf(cause) : 'no answer', 'Check that this machine reaches it, and its certificate', cause);
  }
}

/** fetch says `fetch failed` and has the reason as its cause. */
function reasonOf(error: Error): string {
  return error.cause instanceof Error ? error.cause.message : error.message;
}

/** The URL's path is often the secret itself, as with Slack: only the host is said. */
function failed(channel: Webhook, why: string, hint: string, cause?: unknown): ServerError {
  return new ServerError({
    code: 'SERVER_NOTIFICATION_FAILED',
    message: `notification ${channel.name} could not be delivered to ${new URL(channel.url).host}: ${why}`,
    details: { channel: channel.name },
    hint,
    ...(cause !== undefined && { cause }),
  });
}
