import { expect, it } from 'vitest';
import { Exchange } from '../src/fish/exchange.ts';

const TOKEN = 'ov0123456789abcdef';
const TIME = 'elapsed time: 0.01 seconds\n';

async function replyTo(output: string, said = '', pieces = 1): Promise<{ readonly ok: boolean; readonly output: string; readonly said: string }> {
  const exchange = new Exchange(TOKEN);
  const whole = Buffer.from(`${output}${TOKEN}\n`, 'latin1');
  const size = Math.ceil(whole.length / pieces);
  for (let at = 0; at < whole.length; at += size) expect(exchange.tookOutput(whole.subarray(at, at + size))).toBe(true);
  exchange.tookSaid(Buffer.from(`${said}${TOKEN}: unknown command\n`));
  const reply = await exchange.reply;
  return { ok: reply.ok, output: reply.output.toString('latin1'), said: reply.said.toString('latin1') };
}

it('what a command printed is what stands before the line about its time', async () => {
  expect(await replyTo(`/dev/sda1: ext4\n${TIME}`)).toEqual({ ok: true, output: '/dev/sda1: ext4\n', said: '' });
  expect(await replyTo(TIME)).toEqual({ ok: true, output: '', said: '' });
});

it.each([1, 2, 7, 1000])('it does not matter in how many pieces it comes: %i', async (pieces) => {
  const output = `${'x'.repeat(200_000)}\n`;
  expect(await replyTo(`${output}${TIME}`, '', pieces)).toEqual({ ok: true, output, said: '' });
});

it('a guest that writes what guestfish writes makes no failure a success', async () => {
  const error = `libguestfs: error: lstat: /${TIME}: No such file or directory\n`;
  expect(await replyTo('', error)).toEqual({ ok: false, output: '', said: error });
});

it('a guest that writes what guestfish writes is read as its data', async () => {
  expect(await replyTo(`${TIME}elapsed time: 9.99\n${TIME}`)).toEqual({ ok: true, output: `${TIME}elapsed time: 9.99\n`, said: '' });
});

it('standard error without end is kept up to a bound', async () => {
  expect((await replyTo(TIME, 'y'.repeat(10_000_000))).said.length).toBeLessThan(70_000);
});

it('an answer without end is noticed', () => {
  const exchange = new Exchange(TOKEN);
  let bytes = 0;
  while (exchange.tookOutput(Buffer.alloc(2 ** 20))) {
    bytes += 2 ** 20;
    expect(bytes).toBeLessThan(2 ** 26);
  }
});
