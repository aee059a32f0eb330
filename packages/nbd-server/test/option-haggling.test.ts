import { describe, expect, it } from 'vitest';
import { MAX_QUERIES } from '../src/codec/option-codec.ts';
import { answerOption, beginHaggling, type Haggling, type HagglingStep, haggleOverTls } from '../src/option-haggling.ts';
import { INFO, OPTION, REPLY, TRANSMISSION } from '../src/protocol.ts';
import { memoryExport } from '../testing/index.ts';
import { contextData, infoData, type OptionReply, splitReplies } from '../testing/raw-client.ts';

const NONE = Buffer.alloc(0);
const fixed = { fixedNewstyle: true, noZeroes: true };
const plain = beginHaggling(fixed, 'none');
const withTls = beginHaggling(fixed, 'required');
const disk = memoryExport(Buffer.alloc(8192));
const directory = {
  exports: new Map([
    ['vda', disk],
    ['vdb', memoryExport(Buffer.alloc(10), { writable: true })],
  ]),
  defaultName: 'vda',
};

function answer(state: Haggling, option: number, data: Buffer | 'too-big' = NONE): HagglingStep {
  return answerOption(state, { option, data }, directory);
}

function replies(step: HagglingStep): OptionReply[] {
  return splitReplies(Buffer.concat(step.replies));
}

function lastType(step: HagglingStep): number | undefined {
  return replies(step).at(-1)?.type;
}

function stateOf(step: HagglingStep): Haggling {
  if (step.next !== 'option') throw new Error(`the next step is ${step.next}`);
  return step.state;
}

const structured = stateOf(answer(plain, OPTION.STRUCTURED_REPLY));

describe('haggling', () => {
  it('lists the exports with what is said of them', () => {
    const [first, second, end] = replies(answer(plain, OPTION.LIST));
    expect(first?.data.subarray(4).toString()).toBe('vdabytes in memory');
    expect(second?.data.readUInt32BE(0)).toBe(3);
    expect(end?.type).toBe(REPLY.ACK);
  });

  it.each([OPTION.LIST, OPTION.STRUCTURED_REPLY])('refuses data with option %i, which has none', (option) => {
    expect(lastType(answer(plain, option, Buffer.from('x')))).toBe(REPLY.ERR_INVALID);
  });

  it('says size and flags of an export, and what else was asked for', () => {
    const given = replies(answer(structured, OPTION.INFO, infoData('vda', [INFO.NAME, INFO.BLOCK_SIZE, 99])));
    expect(given.map(({ type, data }) => (type === REPLY.INFO ? data.readUInt16BE(0) : 'end'))).toEqual([INFO.EXPORT, INFO.NAME, INFO.BLOCK_SIZE, 'end']);
    expect(given[0]?.data.readBigUInt64BE(2)).toBe(8192n);
    const flags = given[0]?.data.readUInt16BE(10) ?? 0;
    expect(flags & TRANSMISSION.READ_ONLY).not.toBe(0);
    expect(flags & TRANSMISSION.CAN_MULTI_CONN).not.toBe(0);
    expect(flags & TRANSMISSION.SEND_DF).not.toBe(0);
  });

  it('advertises no writing on a read-only export, and no DF without structured replies', () => {
    const flagsOf = (state: Haggling, name: string): number => replies(answer(state, OPTION.INFO, infoData(name, [])))[0]?.data.readUInt16BE(10) ?? 0;
    expect(flagsOf(plain, 'vda') & (TRANSMISSION.SEND_DF | TRANSMISSION.SEND_TRIM | TRANSMISSION.SEND_FUA)).toBe(0);
    expect(flagsOf(plain, 'vdb') & TRANSMISSION.READ_ONLY).toBe(0);
  });

  it('takes the empty name for the default export', () => {
    const step = answer(plain, OPTION.GO, infoData('', []));
    expect(step).toMatchObject({ next: 'transmission', agreement: { name: 'vda', disk } });
  });

  it.each([OPTION.INFO, OPTION.GO])('knows no export that there is not (option %i)', (option) => {
    expect(lastType(answer(plain, option, infoData('vdz', [])))).toBe(REPLY.ERR_UNKNOWN);
  });

  it('closes the connection on the old way into an export that there is not', () => {
    expect(answer(plain, OPTION.EXPORT_NAME, Buffer.from('vdz')).next).toBe('close');
  });

  it('answers the old way in with or without the zeros of the past', () => {
    const answered = (noZeroes: boolean): number =>
      Buffer.concat(answer(beginHaggling({ fixedNewstyle: false, noZeroes }, 'none'), OPTION.EXPORT_NAME, Buffer.from('vda')).replies).length;
    expect([answered(true), answered(false)]).toEqual([10, 134]);
  });

  it('takes nothing but the old way in from a client without fixed newstyle', () => {
    expect(answer(beginHaggling({ fixedNewstyle: false, noZeroes: false }, 'none'), OPTION.LIST).next).toBe('close');
  });

  it('does not know what it does not know', () => {
    expect(lastType(answer(plain, 4711))).toBe(REPLY.ERR_UNSUP);
    expect(lastType(answer(plain, OPTION.GO, 'too-big'))).toBe(REPLY.ERR_TOO_BIG);
  });

  it('acknowledges an abort, whatever comes with it, and ends', () => {
    const step = answer(plain, OPTION.ABORT, Buffer.from('bye'));
    expect([step.next, lastType(step)]).toEqual(['close', REPLY.ACK]);
  });
});

describe('haggling about TLS', () => {
  it.each([OPTION.LIST, OPTION.INFO, OPTION.GO, OPTION.STRUCTURED_REPLY, 4711])('answers option %i only over it', (option) => {
    expect(lastType(answer(withTls, option))).toBe(REPLY.ERR_TLS_REQD);
  });

  it('closes the connection on the old way in without it', () => {
    expect(answer(withTls, OPTION.EXPORT_NAME, Buffer.from('vda')).next).toBe('close');
  });

  it('starts it once', () => {
    const step = answer(withTls, OPTION.STARTTLS);
    expect([step.next, lastType(step)]).toEqual(['starttls', REPLY.ACK]);
    expect(lastType(answer(haggleOverTls(fixed), OPTION.STARTTLS))).toBe(REPLY.ERR_INVALID);
    expect(lastType(answer(withTls, OPTION.STARTTLS, Buffer.from('x')))).toBe(REPLY.ERR_INVALID);
  });

  it('refuses it where there is no certificate', () => {
    expect(lastType(answer(plain, OPTION.STARTTLS))).toBe(REPLY.ERR_POLICY);
  });

  it('can be left without it', () => {
    expect(answer(withTls, OPTION.ABORT).next).toBe('close');
  });
});

describe('haggling about metadata contexts', () => {
  const set = (state: Haggling, ...queries: string[]): HagglingStep => answer(state, OPTION.SET_META_CONTEXT, contextData('vda', queries));
  const list = (...queries: string[]): number => replies(answer(structured, OPTION.LIST_META_CONTEXT, contextData('vda', queries))).length - 1;

  it('needs structured replies first', () => {
    expect(lastType(set(plain, 'base:allocation'))).toBe(REPLY.ERR_INVALID);
  });

  it('lists base:allocation to who asks for all, for base: or for it, and to nobody else', () => {
    expect([list(), list('base:'), list('base:allocation'), list('x-onevault:all', 'base:other')]).toEqual([1, 1, 1, 0]);
  });

  it('selects what is named, not what is meant by a wildcard', () => {
    expect(stateOf(set(structured, 'base:allocation')).allocationOf).toBe('vda');
    expect(stateOf(set(structured, 'base:')).allocationOf).toBeUndefined();
    expect(stateOf(set(structured)).allocationOf).toBeUndefined();
  });

  it('counts for the export that it was selected for', () => {
    const selected = stateOf(set(structured, 'base:allocation'));
    expect(answer(selected, OPTION.GO, infoData('vda', []))).toMatchObject({ agreement: { allocation: true } });
    expect(answer(selected, OPTION.GO, infoData('vdb', []))).toMatchObject({ agreement: { allocation: false } });
  });

  it('forgets the selection when another one fails', () => {
    const selected = stateOf(set(structured, 'base:allocation'));
    const malformed = answer(selected, OPTION.SET_META_CONTEXT, Buffer.from('rubbish'));
    expect(lastType(malformed)).toBe(REPLY.ERR_INVALID);
    expect(stateOf(malformed).allocationOf).toBeUndefined();
    expect(stateOf(answer(selected, OPTION.SET_META_CONTEXT, 'too-big')).allocationOf).toBeUndefined();
  });

  it('reads no endless list of queries', () => {
    const many = Array.from({ length: MAX_QUERIES + 1 }, () => 'base:allocation');
    expect(lastType(set(structured, ...many))).toBe(REPLY.ERR_TOO_BIG);
  });
});
