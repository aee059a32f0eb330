import type { CallOptions } from '@onevault/base';
import type { ByteChannel } from './byte-channel.ts';
import { CLIENT_FLAGS_BYTES, decodeClientFlags, decodeOptionHeader, encodeGreeting, MAX_OPTION_BYTES, OPTION_HEADER_BYTES } from './codec/option-codec.ts';
import type { ExportDirectory } from './export.ts';
import { type Agreement, answerOption, beginHaggling, type Haggling, haggleOverTls, type ReceivedOption } from './option-haggling.ts';

const SKIP_BYTES = 64 * 1024;
/** A client that haggles longer than this has no intention to begin. */
const MAX_OPTIONS = 1024;
/** No option that exists is longer than a few KiB: more is skipped up to here, and then the connection is dropped. */
const MAX_SKIPPED_BYTES = 1024 * 1024;

export interface Negotiated {
  readonly channel: ByteChannel;
  readonly agreement: Agreement;
}

/** Puts TLS over the channel and resolves when its handshake is done; absent on a server without certificate. */
export type StartTls = (channel: ByteChannel) => Promise<ByteChannel>;

/**
 * Greets and haggles until the client enters transmission. Resolves with a sentence when it does not: what the connection ends for.
 * Rejects when the channel breaks or the signal is aborted; the caller then destroys the channel.
 */
export async function negotiate(
  channel: ByteChannel,
  directory: ExportDirectory,
  startTls: StartTls | undefined,
  options: CallOptions,
): Promise<Negotiated | string> {
  await channel.write([encodeGreeting()]);
  const bytes = await channel.read(CLIENT_FLAGS_BYTES, options);
  const client = bytes && decodeClientFlags(bytes);
  if (!client) return bytes ? 'the client wants flags that do not exist' : 'the client left';
  return haggle(channel, beginHaggling(client, startTls ? 'required' : 'none'), { directory, startTls }, options);
}

interface Serving {
  readonly directory: ExportDirectory;
  readonly startTls: StartTls | undefined;
}

async function haggle(channel: ByteChannel, begun: Haggling, { directory, startTls }: Serving, options: CallOptions): Promise<Negotiated | string> {
  let state = begun;
  for (let n = 0; n < MAX_OPTIONS; n++) {
    const received = await receiveOption(channel, options);
    if (typeof received === 'string') return received;
    const step = answerOption(state, received, directory);
    // What came before the handshake of TLS, and would be taken for its contents, was put there by somebody in between.
    if (step.next === 'starttls' && channel.unread > 0) return 'the client sent more before TLS had begun';
    if (step.replies.length > 0) await channel.write(step.replies);
    switch (step.next) {
      case 'starttls':
        if (!startTls) return 'TLS is not to be had';
        return haggle(await startTls(channel), haggleOverTls(begun.client), { directory, startTls }, options);
      case 'transmission':
        return { channel, agreement: step.agreement };
      case 'close':
        return step.why;
      default:
        state = step.state;
    }
  }
  return 'the client haggles without end';
}

async function receiveOption(channel: ByteChannel, options: CallOptions): Promise<ReceivedOption | string> {
  const bytes = await channel.read(OPTION_HEADER_BYTES, options);
  if (!bytes) return 'the client left';
  const header = decodeOptionHeader(bytes);
  if (!header) return 'the client does not speak the protocol';
  if (header.length > MAX_OPTION_BYTES) return skip(channel, header, options);
  const data = await channel.read(header.length, options);
  return data ? { option: header.option, data } : 'the client left';
}

async function skip(
  channel: ByteChannel,
  header: { readonly option: number; readonly length: number },
  options: CallOptions,
): Promise<ReceivedOption | string> {
  if (header.length > MAX_SKIPPED_BYTES) return 'the client sent an option of more than a MiB';
  for (let left = header.length; left > 0; left -= Math.min(left, SKIP_BYTES)) {
    if (!(await channel.read(Math.min(left, SKIP_BYTES), options))) return 'the client left';
  }
  return { option: header.option, data: 'too-big' };
}
