import type { NotificationCondition, WebhookFormat } from '../ports/notification-channel.ts';
import { type Entry, oneLine } from './entry.ts';

/** What one delivery says. */
export interface Message {
  readonly id: string;
  readonly entries: readonly Entry[];
  /** Of the server that tells it. */
  readonly server: string;
}

/** Shown in a message; of more, the number. */
const SHOWN = 20;

const WORDS: Readonly<Record<NotificationCondition, string>> = {
  failed: 'failed',
  degraded: 'degraded',
  succeeded: 'succeeded',
  recovered: 'recovered',
  skipped: 'not done',
  'nothing-ran': 'nothing ran',
  'out-of-rpo': 'out of RPO',
  'repository-unreachable': 'repository unreachable',
  orphans: 'orphans left behind',
};

/** One line, for a subject. */
export function titleOf({ entries, server }: Message): string {
  const [first] = entries;
  if (first === undefined) return oneLine(`onevault ${server}`);
  const what = entries.length === 1 ? `${first.over ? 'over: ' : ''}${WORDS[first.condition]}: ${first.subject}` : countsOf(entries);
  return oneLine(`[onevault ${server}] ${what}`);
}

function countsOf(entries: readonly Entry[]): string {
  const counts = new Map<string, number>();
  for (const { condition, over } of entries) {
    const word = `${over && condition !== 'recovered' ? 'over: ' : ''}${WORDS[condition]}`;
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return [...counts].map(([word, count]) => `${count} ${word}`).join(', ');
}

/** Lines of plain text. */
export function textOf({ entries }: Message): string {
  const lines = entries
    .slice(0, SHOWN)
    .flatMap((entry) => [
      `${new Date(entry.at).toISOString()} ${entry.over ? 'OVER ' : ''}${WORDS[entry.condition]}: ${entry.subject}`,
      `    ${entry.text}${entry.code === undefined ? '' : ` [${entry.code}]`}`,
      ...(entry.hint === undefined ? [] : [`    What to do: ${entry.hint}`]),
      ...(entry.runId === undefined ? [] : [`    Run ${entry.runId}`]),
    ]);
  return [...lines, ...(entries.length > SHOWN ? [`… and ${entries.length - SHOWN} more`] : [])].join('\n');
}

export interface WebhookBody {
  readonly contentType: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The body as the service on the other side takes it. */
export function webhookBody(format: WebhookFormat, message: Message): WebhookBody {
  const title = titleOf(message);
  const text = textOf(message);
  switch (format) {
    case 'json':
      return json({
        version: 1,
        id: message.id,
        server: message.server,
        title,
        entries: message.entries.map(({ at, ...entry }) => ({ ...entry, at: new Date(at).toISOString() })),
      });
    case 'slack':
      return json({ text: `*${slackEscaped(title).replace(/[*`~_]/g, "'")}*\n\`\`\`${slackEscaped(text).replaceAll('```', "'''")}\`\`\`` });
    case 'mattermost':
      return json({ username: 'onevault', text: `**${markdownEscaped(title)}**\n\`\`\`\n${text.replaceAll('```', "'''")}\n\`\`\`` });
    case 'teams':
      return json(teamsCard(title, text));
    case 'ntfy':
      return { contentType: 'text/plain; charset=utf-8', headers: { Title: asciiHeader(title), Priority: isBad(message) ? 'high' : 'default' }, body: text };
    case 'text':
      return { contentType: 'text/plain; charset=utf-8', headers: {}, body: `${title}\n\n${text}\n` };
  }
}

function json(value: unknown): WebhookBody {
  return { contentType: 'application/json', headers: {}, body: JSON.stringify(value) };
}

/** Slack takes `<…>` for links and mentions of everybody. */
function slackEscaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** `@all` in a VM's name calls nobody, and its stars make nothing bold. */
function markdownEscaped(text: string): string {
  return text.replace(/[\\`*_~#[\]()|>]/g, String.raw`\$&`).replaceAll('@', '@\u200b');
}

function teamsCard(title: string, text: string): unknown {
  const block = (content: string, more: object): object => ({ type: 'TextBlock', text: content, wrap: true, ...more });
  const body = [block(markdownEscaped(title), { weight: 'Bolder', size: 'Medium' }), block(text, { fontType: 'Monospace' })];
  const content = { $schema: 'http://adaptivecards.io/schemas/adaptive-card.json', type: 'AdaptiveCard', version: '1.4', body };
  return { type: 'message', attachments: [{ contentType: 'application/vnd.microsoft.card.adaptive', content }] };
}

/** ntfy reads RFC 2047 in its Title. */
function asciiHeader(text: string): string {
  return /^[\x20-\x7e]*$/.test(text) ? text : `=?UTF-8?B?${Buffer.from(text).toString('base64')}?=`;
}

function isBad({ entries }: Message): boolean {
  return entries.some(({ over, condition }) => !over && condition !== 'succeeded' && condition !== 'recovered');
}
