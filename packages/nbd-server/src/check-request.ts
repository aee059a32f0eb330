import type { Request } from './codec/request-codec.ts';
import type { Agreement } from './option-haggling.ts';
import { COMMAND, COMMAND_FLAG, ERRNO, type Errno, MAX_PAYLOAD_BYTES } from './protocol.ts';

/** Longest read that is answered in one piece on demand (flag DF): the protocol asks for 64 KiB at least. */
const MAX_UNFRAGMENTED_BYTES = 4 * 1024 * 1024;

export interface Refusal {
  readonly errno: Errno;
  readonly why: string;
}

const OWN_FLAGS: Readonly<Record<number, number>> = {
  [COMMAND.READ]: COMMAND_FLAG.DF,
  [COMMAND.WRITE]: 0,
  [COMMAND.FLUSH]: 0,
  [COMMAND.TRIM]: 0,
  [COMMAND.CACHE]: 0,
  [COMMAND.WRITE_ZEROES]: COMMAND_FLAG.NO_HOLE,
  [COMMAND.BLOCK_STATUS]: COMMAND_FLAG.REQ_ONE,
};

const WRITES: ReadonlySet<number> = new Set([COMMAND.WRITE, COMMAND.WRITE_ZEROES, COMMAND.TRIM]);

/** Why a request is not carried out, if it is not. DISC is the caller's. */
export function refusalOf(request: Request, agreement: Agreement): Refusal | undefined {
  const { command, offset, length } = request;
  const { disk } = agreement;
  if (!(command in OWN_FLAGS)) return { errno: ERRNO.EINVAL, why: `there is no command ${command} here` };
  if ((request.flags & ~allowedFlags(command, agreement)) !== 0) return { errno: ERRNO.EINVAL, why: 'the flags do not go with the command' };
  if (WRITES.has(command) && !disk.writer) return { errno: ERRNO.EPERM, why: 'the export is read-only' };
  if (command === COMMAND.FLUSH) return offset === 0 && length === 0 ? undefined : { errno: ERRNO.EINVAL, why: 'a flush has no range' };
  if (offset + length > disk.sizeBytes) {
    const errno = command === COMMAND.WRITE || command === COMMAND.WRITE_ZEROES ? ERRNO.ENOSPC : ERRNO.EINVAL;
    return { errno, why: `the range ends after the ${disk.sizeBytes} bytes of the export` };
  }
  return refusalOfKind(request, agreement);
}

function refusalOfKind({ command, flags, length }: Request, { structured, allocation }: Agreement): Refusal | undefined {
  if (command === COMMAND.BLOCK_STATUS) {
    if (!allocation) return { errno: ERRNO.EINVAL, why: 'no metadata context was selected' };
    if (length === 0) return { errno: ERRNO.EINVAL, why: 'the range is empty' };
  }
  if (command === COMMAND.READ) {
    if (!structured && length > MAX_PAYLOAD_BYTES) return { errno: ERRNO.EINVAL, why: 'more than can be answered at once' };
    if ((flags & COMMAND_FLAG.DF) !== 0 && length > MAX_UNFRAGMENTED_BYTES) return { errno: ERRNO.EOVERFLOW, why: 'more than can be answered in one piece' };
  }
  return undefined;
}

function allowedFlags(command: number, { disk, structured }: Agreement): number {
  const own = OWN_FLAGS[command] ?? 0;
  const withoutDf = structured ? own : own & ~COMMAND_FLAG.DF;
  // Clients set FUA where it means nothing; who advertises it must accept it everywhere.
  return disk.writer ? withoutDf | COMMAND_FLAG.FUA : withoutDf;
}
