import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Message, textOf, titleOf, webhookBody } from '../../src/notify/message.ts';
import { entryOf } from '../../src/notify/troubles.ts';
import { WEBHOOK_FORMATS } from '../../src/ports/notification-channel.ts';

function message(name: string): Message {
  const entry = entryOf({ subject: `VM ${name} (17)`, runId: 'r1', vmId: 17 }, 'failed', false, `it failed: ${name}`, 1_760_000_000_000, {
    code: 'X_Y',
    hint: 'Do this',
  });
  return { id: 'm1', server: 'backup-1', entries: [{ id: 'e1', ...entry }] };
}

describe('a message', () => {
  it.each(WEBHOOK_FORMATS)('as %s says what failed, why and what to do', (format) => {
    const { body, contentType } = webhookBody(format, message('web'));
    for (const part of ['it failed: web', 'X_Y', 'Do this', 'r1']) expect(body).toContain(part);
    if (contentType === 'application/json') expect(() => JSON.parse(body)).not.toThrow();
  });

  it('has one title line and no forged lines or headers, whatever a VM is called', () => {
    const lines = textOf(message('web')).split('\n').length;
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('a\r\nBcc: x@y', 'x\u2028y', 'x\u0000', '\u202egnp', '<!channel>', '@all', '```')),
        (name) => {
          const said = message(name);
          expect(titleOf(said)).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
          expect(textOf(said).split(/[\n\r\u2028\u2029]/)).toHaveLength(lines);
          for (const format of WEBHOOK_FORMATS) for (const value of Object.values(webhookBody(format, said).headers)) expect(value).toMatch(/^[\x20-\x7e]*$/);
        },
      ),
    );
  });

  it('calls nobody in Slack and Mattermost', () => {
    expect(webhookBody('slack', message('<!channel>')).body).not.toContain('<!channel>');
    const { text } = JSON.parse(webhookBody('mattermost', message('@all **x**')).body) as { text: string };
    expect(text.split('```')[0]).not.toMatch(/@all|\*\*x/);
    expect((JSON.parse(webhookBody('slack', message('```x')).body) as { text: string }).text.split('```')).toHaveLength(3);
  });
});
