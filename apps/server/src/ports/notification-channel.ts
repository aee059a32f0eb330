/**
 * What is worth telling. recovered: a VM whose last run failed succeeded; skipped: a scheduled run was not done, or not to its end, by the policy's own rules; nothing-ran:
 * no run succeeded for `quietFor`.
 */
export const NOTIFICATION_CONDITIONS = [
  'failed',
  'degraded',
  'succeeded',
  'recovered',
  'skipped',
  'nothing-ran',
  'out-of-rpo',
  'repository-unreachable',
  'orphans',
] as const;
export type NotificationCondition = (typeof NOTIFICATION_CONDITIONS)[number];

/** What a webhook's body looks like. json: ours, signed. The others are what those services take. */
export const WEBHOOK_FORMATS = ['json', 'text', 'slack', 'mattermost', 'teams', 'ntfy'] as const;
export type WebhookFormat = (typeof WEBHOOK_FORMATS)[number];

/** What every channel has. */
export interface ChannelBase {
  readonly name: string;
  readonly on: readonly NotificationCondition[];
  readonly quietForMs: number;
}

/** Where something is told. Secrets are names of files in the secrets directory. */
export type NotificationChannel =
  | (ChannelBase & { readonly kind: 'webhook'; readonly url: string; readonly format?: WebhookFormat | undefined; readonly secretFile: string | undefined })
  | (ChannelBase & {
      readonly kind: 'smtp';
      readonly host: string;
      readonly port: number;
      readonly tls: 'starttls' | 'tls' | 'none';
      readonly user: string | undefined;
      readonly secretFile: string | undefined;
      readonly from: string;
      readonly to: readonly string[];
    });
