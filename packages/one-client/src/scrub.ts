import type { Secret } from '@onevault/base';

/** Shorter secrets are words ("image", "oneadmin"): taking them out of any text would garble it, and give them away. */
const MIN_BARE_SECRET = 8;

/** Text that came from the other side, without the session: a proxy may echo the request in its error page, or the end of it. */
export function scrub(text: string, session: Secret): string {
  const whole = session.reveal();
  const secret = whole.slice(whole.indexOf(':') + 1);
  const out = text.replaceAll(whole, '[redacted]');
  return secret.length < MIN_BARE_SECRET ? out : out.replaceAll(secret, '[redacted]');
}
