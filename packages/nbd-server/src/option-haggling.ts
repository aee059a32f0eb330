import {
  type ClientFlags,
  type ContextRequest,
  decodeContextRequest,
  decodeInfoRequest,
  decodeName,
  encodeBlockSizeInfo,
  encodeContext,
  encodeExportInfo,
  encodeExportName,
  encodeListed,
  encodeOptionReply,
  encodeTextInfo,
  type InfoRequest,
} from './codec/option-codec.ts';
import { type ExportDirectory, findExport, type NbdExport } from './export.ts';
import { ALLOCATION_CONTEXT, INFO, MAX_PAYLOAD_BYTES, OPTION, REPLY, TRANSMISSION } from './protocol.ts';

/** What client and server have agreed on so far. */
export interface Haggling {
  readonly client: ClientFlags;
  /** `required`: nothing but STARTTLS is answered before it. */
  readonly tls: 'none' | 'required' | 'on';
  readonly structured: boolean;
  /** The export for which base:allocation is selected. */
  readonly allocationOf: string | undefined;
}

/** What transmission needs to know. */
export interface Agreement {
  readonly name: string;
  readonly disk: NbdExport;
  readonly structured: boolean;
  readonly allocation: boolean;
}

export type HagglingStep =
  | { readonly next: 'option'; readonly replies: readonly Buffer[]; readonly state: Haggling }
  | { readonly next: 'starttls'; readonly replies: readonly Buffer[] }
  | { readonly next: 'transmission'; readonly replies: readonly Buffer[]; readonly agreement: Agreement }
  /** The replies are sent, then the connection is closed. */
  | { readonly next: 'close'; readonly replies: readonly Buffer[]; readonly why: string };

export interface ReceivedOption {
  readonly option: number;
  /** `too-big` when it was longer than MAX_OPTION_BYTES and has been skipped. */
  readonly data: Buffer | 'too-big';
}

/** The one id of a metadata context that there is. */
export const ALLOCATION_ID = 1;

export function beginHaggling(client: ClientFlags, tls: 'none' | 'required'): Haggling {
  return { client, tls, structured: false, allocationOf: undefined };
}

/** After STARTTLS nothing that was agreed before it counts. */
export function haggleOverTls(client: ClientFlags): Haggling {
  return { client, tls: 'on', structured: false, allocationOf: undefined };
}

/** Answers one option. Pure: any bytes give replies and a next state. */
export function answerOption(state: Haggling, { option, data }: ReceivedOption, directory: ExportDirectory): HagglingStep {
  if (option === OPTION.EXPORT_NAME) return enterByName(state, data, directory);
  if (!state.client.fixedNewstyle) return close('the client sent an option that needs fixed newstyle without having agreed to it');
  if (option === OPTION.ABORT) return { next: 'close', replies: [encodeOptionReply(option, REPLY.ACK)], why: 'the client ended the negotiation' };
  if (option === OPTION.STARTTLS) return startTls(state, data);
  if (state.tls === 'required') return refuse(state, option, REPLY.ERR_TLS_REQD, 'this server wants TLS first');
  if (data === 'too-big') return refuse(afterFailed(state, option), option, REPLY.ERR_TOO_BIG, 'the option is longer than this server reads');
  switch (option) {
    case OPTION.LIST:
      return list(state, data, directory);
    case OPTION.STRUCTURED_REPLY:
      if (data.length > 0) return refuse(state, option, REPLY.ERR_INVALID, 'this option has no data');
      return { next: 'option', replies: [encodeOptionReply(option, REPLY.ACK)], state: { ...state, structured: true } };
    case OPTION.INFO:
    case OPTION.GO:
      return inform(state, option, decodeInfoRequest(data), directory);
    case OPTION.LIST_META_CONTEXT:
    case OPTION.SET_META_CONTEXT:
      return contexts(afterFailed(state, option), option, decodeContextRequest(data), directory);
    default:
      return refuse(state, option, REPLY.ERR_UNSUP, 'this server does not know the option');
  }
}

/** SET_META_CONTEXT replaces what was selected also when it fails. */
function afterFailed(state: Haggling, option: number): Haggling {
  return option === OPTION.SET_META_CONTEXT ? { ...state, allocationOf: undefined } : state;
}

function close(why: string): HagglingStep {
  return { next: 'close', replies: [], why };
}

function refuse(state: Haggling, option: number, type: number, message: string): HagglingStep {
  return { next: 'option', replies: [encodeOptionReply(option, type, Buffer.from(message))], state };
}

/** The old way in, which has no way to answer with an error. */
function enterByName(state: Haggling, data: Buffer | 'too-big', directory: ExportDirectory): HagglingStep {
  if (state.tls === 'required') return close('the client asked for an export without TLS');
  const name = data === 'too-big' ? undefined : decodeName(data);
  const chosen = name === undefined ? undefined : findExport(directory, name);
  if (!chosen) return close('the client asked for an export that there is not');
  const agreement = agree(state, chosen);
  const flags = transmissionFlags(chosen.found, state.structured);
  return { next: 'transmission', replies: [encodeExportName(chosen.found.sizeBytes, flags, state.client.noZeroes)], agreement };
}

function startTls(state: Haggling, data: Buffer | 'too-big'): HagglingStep {
  if (state.tls === 'on') return refuse(state, OPTION.STARTTLS, REPLY.ERR_INVALID, 'TLS is on already');
  if (data.length > 0) return refuse(state, OPTION.STARTTLS, REPLY.ERR_INVALID, 'this option has no data');
  if (state.tls === 'none') return refuse(state, OPTION.STARTTLS, REPLY.ERR_POLICY, 'this server was started without a certificate');
  return { next: 'starttls', replies: [encodeOptionReply(OPTION.STARTTLS, REPLY.ACK)] };
}

function list(state: Haggling, data: Buffer, { exports }: ExportDirectory): HagglingStep {
  if (data.length > 0) return refuse(state, OPTION.LIST, REPLY.ERR_INVALID, 'this option has no data');
  const listed = [...exports].map(([name, { description }]) => encodeListed(OPTION.LIST, name, description));
  return { next: 'option', replies: [...listed, encodeOptionReply(OPTION.LIST, REPLY.ACK)], state };
}

function inform(state: Haggling, option: number, request: InfoRequest | undefined, directory: ExportDirectory): HagglingStep {
  if (!request) return refuse(state, option, REPLY.ERR_INVALID, 'the data of the option is malformed');
  const chosen = findExport(directory, request.name);
  if (!chosen) return refuse(state, option, REPLY.ERR_UNKNOWN, 'there is no such export');
  const { name, found } = chosen;
  const replies = [encodeExportInfo(option, found.sizeBytes, transmissionFlags(found, state.structured))];
  if (request.wanted.includes(INFO.NAME)) replies.push(encodeTextInfo(option, INFO.NAME, name));
  if (request.wanted.includes(INFO.DESCRIPTION) && found.description) replies.push(encodeTextInfo(option, INFO.DESCRIPTION, found.description));
  if (request.wanted.includes(INFO.BLOCK_SIZE))
    replies.push(encodeBlockSizeInfo(option, { minimum: 1, preferred: found.preferredBytes ?? 4096, maximum: MAX_PAYLOAD_BYTES }));
  replies.push(encodeOptionReply(option, REPLY.ACK));
  if (option === OPTION.INFO) return { next: 'option', replies, state };
  return { next: 'transmission', replies, agreement: agree(state, chosen) };
}

function contexts(state: Haggling, option: number, request: ContextRequest | 'too-big' | undefined, directory: ExportDirectory): HagglingStep {
  if (!state.structured) return refuse(state, option, REPLY.ERR_INVALID, 'metadata contexts need structured replies first');
  if (request === 'too-big') return refuse(state, option, REPLY.ERR_TOO_BIG, 'too many queries');
  if (!request) return refuse(state, option, REPLY.ERR_INVALID, 'the data of the option is malformed');
  const chosen = findExport(directory, request.name);
  if (!chosen) return refuse(state, option, REPLY.ERR_UNKNOWN, 'there is no such export');
  const setting = option === OPTION.SET_META_CONTEXT;
  const matches = setting
    ? request.queries.includes(ALLOCATION_CONTEXT)
    : request.queries.length === 0 || request.queries.some((query) => query === 'base:' || query === ALLOCATION_CONTEXT);
  const replies = [...(matches ? [encodeContext(option, setting ? ALLOCATION_ID : 0)] : []), encodeOptionReply(option, REPLY.ACK)];
  return { next: 'option', replies, state: setting && matches ? { ...state, allocationOf: chosen.name } : state };
}

function agree(state: Haggling, { name, found }: { readonly name: string; readonly found: NbdExport }): Agreement {
  return { name, disk: found, structured: state.structured, allocation: state.allocationOf === name };
}

/** Every connection sees the same cache and the same overlay, hence CAN_MULTI_CONN. */
function transmissionFlags(disk: NbdExport, structured: boolean): number {
  const writing = TRANSMISSION.SEND_FUA | TRANSMISSION.SEND_TRIM | TRANSMISSION.SEND_WRITE_ZEROES;
  const common = TRANSMISSION.HAS_FLAGS | TRANSMISSION.SEND_FLUSH | TRANSMISSION.CAN_MULTI_CONN | TRANSMISSION.SEND_CACHE;
  return common | (disk.writer ? writing : TRANSMISSION.READ_ONLY) | (structured ? TRANSMISSION.SEND_DF : 0);
}
