import { BaseError, Secret } from '@onevault/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Redactor } from '../../src/logs/redactor.ts';
import { serverLogger } from '../../src/logs/server-logger.ts';

const SECRET = 'hunter2-correct/horse';

class TestError extends BaseError<'TEST_FAILED'> {}

function world() {
  const lines: string[] = [];
  const redactor = new Redactor();
  const logger = serverLogger({ level: 'debug', redactor, format: 'json', sink: { write: (line) => lines.push(line) } });
  return { lines, redactor, logger };
}

/** Every way in which a secret has been seen to get into a log; `known` says whether its value had been made known. */
const WAYS: readonly { readonly way: string; readonly known: boolean; readonly fields: Record<string, unknown>; readonly message?: string }[] = [
  { way: 'a Secret', known: false, fields: { thing: new Secret(SECRET) } },
  { way: 'a Secret in a list in an object', known: false, fields: { a: [{ b: new Secret(SECRET) }] } },
  { way: 'a field called password', known: false, fields: { settings: { password: SECRET } } },
  { way: 'a field called ONE_AUTH', known: false, fields: { env: { ONE_AUTH: `oneadmin:${SECRET}` } } },
  { way: 'a header', known: false, fields: { headers: { Authorization: `Bearer ${SECRET}`, 'set-cookie': [`sid=${SECRET}`] } } },
  { way: 'a header in a text', known: false, fields: { detail: `sent Authorization: Basic ${Buffer.from(SECRET).toString('base64')}` } },
  { way: 'an URL', known: false, fields: { place: `s3+https://key:${encodeURIComponent(SECRET)}@store/bucket` } },
  { way: 'an URL object', known: false, fields: { place: new URL(`https://u:hunter2-correct%2Fhorse@store/bucket`) } },
  { way: 'a token in a query', known: false, fields: { url: `https://chat/hook?token=${SECRET}&x=1` } },
  { way: 'a message of an error', known: true, fields: { error: new Error(`login as u with ${SECRET} refused`) } },
  { way: 'the cause of an error', known: true, fields: { error: new Error('failed', { cause: new Error(`secret was ${SECRET}`) }) } },
  { way: 'details of an error', known: true, fields: { error: new TestError({ code: 'TEST_FAILED', message: 'no', details: { sent: SECRET } }) } },
  { way: 'the message', known: true, fields: {}, message: `trying ${SECRET}` },
  { way: 'the key of a map', known: true, fields: { map: new Map([['k', SECRET]]), set: new Set([SECRET]) } },
  { way: 'URL-encoded', known: true, fields: { path: `/hooks/${encodeURIComponent(SECRET)}` } },
  { way: 'JSON in a text', known: true, fields: { body: JSON.stringify({ anything: SECRET }) } },
];

describe('what is logged', () => {
  it.each(WAYS)('never holds a secret that came as $way, not even through a child', ({ known, fields, message = 'said' }) => {
    const { lines, redactor, logger } = world();
    if (known) redactor.know(SECRET);
    logger.info(fields, message);
    logger.child(fields).warn({ runId: 'r1' }, message);
    expect(lines).toHaveLength(2);
    for (const form of [SECRET, encodeURIComponent(SECRET), Buffer.from(SECRET).toString('base64')]) expect(lines.join('')).not.toContain(form);
    expect(JSON.parse(lines[1] ?? '')).toMatchObject({ level: 'warn', runId: 'r1' });
  });

  it('is the same for every known secret wherever it stands', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 6, maxLength: 40 }), fc.jsonValue({ maxDepth: 3 }), (secret, json) => {
        const redactor = new Redactor();
        redactor.know(secret);
        const hidden = JSON.stringify(redactor.value({ json, text: `before ${secret} after`, [`x`]: [secret] }));
        // A secret that is part of our own words cannot be told from them.
        fc.pre(!JSON.stringify({ json, text: 'before [redacted] after', x: ['[redacted]'] }).includes(JSON.stringify(secret).slice(1, -1)));
        expect(hidden).not.toContain(JSON.stringify(secret).slice(1, -1));
      }),
    );
  });

  it('keeps names of secret files, ids and counts', () => {
    const fields = { secretFile: 'main.key', tokenId: 't-17', tokens: 3, token: true };
    expect(new Redactor().value(fields)).toEqual(fields);
  });

  it('is bounded, whatever is thrown at it', () => {
    const circular: Record<string, unknown> = { text: 'x'.repeat(1_000_000), many: Array.from({ length: 10_000 }, () => 1) };
    circular['self'] = circular;
    expect(JSON.stringify(new Redactor().value(circular)).length).toBeLessThan(100_000);
  });
});

describe('serverLogger', () => {
  it('writes one line for each call, whatever stands in it', () => {
    const { lines, logger } = world();
    logger.error({ vmName: 'a\nb\r\u2028c' }, 'two\nlines');
    expect(lines).toHaveLength(1);
    expect(lines[0]?.trimEnd()).not.toMatch(/[\n\r]/);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 'error', msg: 'two\nlines', vmName: 'a\nb\r\u2028c' });
  });

  it('begins a line with its priority for journald', () => {
    const lines: string[] = [];
    const logger = serverLogger({ level: 'info', redactor: new Redactor(), format: 'journald', sink: { write: (line) => lines.push(line) } });
    logger.debug({}, 'not said');
    for (const level of ['info', 'warn', 'error'] as const) logger.child({ a: 1 })[level]({}, level);
    expect(lines.map((line) => line.slice(0, 3))).toEqual(['<6>', '<4>', '<3>']);
    expect(JSON.parse(lines[0]?.slice(3) ?? '')).toMatchObject({ msg: 'info', a: 1 });
  });
});
