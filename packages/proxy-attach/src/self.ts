import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type CallOptions, errorCode } from '@onevault/base';
import { AttachError } from './errors.ts';

/**
 * The machine's uuid, which equals TEMPLATE/OS/UUID of its own VM body (measured on 6.10.5, 7.0.2 and 7.4.0). Only root may read it.
 * `root`: a directory laid out like the machine's own.
 */
export async function readProductUuid(root = '/', options: CallOptions = {}): Promise<string> {
  const path = join(root, 'sys/class/dmi/id/product_uuid');
  try {
    const { signal } = options;
    const uuid = (await readFile(path, { encoding: 'utf8', ...(signal ? { signal } : {}) })).trim().toLowerCase();
    if (uuid !== '') return uuid;
  } catch (error) {
    if (options.signal?.aborted) throw options.signal.reason;
    throw unknownProxy(
      `read ${path}: ${errorCode(error) ?? 'failed'}`,
      errorCode(error) === 'EACCES' ? 'run as root in the proxy VM' : NOT_A_VM,
      undefined,
      error,
    );
  }
  throw unknownProxy(`read ${path}: it is empty`, NOT_A_VM);
}

/**
 * The VM that this process runs in: the one candidate with this machine's uuid. Reads every candidate, because a restored copy may carry the uuid
 * of its original, and attaching to the wrong one of two would show the disks to a stranger.
 */
export async function findOwnVm<Id extends number>(
  candidates: AsyncIterable<{ readonly id: Id; readonly uuid: string | undefined }>,
  productUuid: string,
  options: CallOptions = {},
): Promise<Id> {
  const wanted = productUuid.trim().toLowerCase();
  const matches: Id[] = [];
  for await (const { id, uuid } of candidates) {
    options.signal?.throwIfAborted();
    if (wanted !== '' && uuid?.trim().toLowerCase() === wanted) matches.push(id);
  }
  const [own, ...others] = matches;
  if (own === undefined) throw unknownProxy(`find this machine among the VMs: none has the uuid ${wanted || '(empty)'}`, NOT_A_VM, wanted);
  if (others.length === 0) return own;
  throw new AttachError({
    code: 'ATTACH_PROXY_AMBIGUOUS',
    message: `find this machine among the VMs: ${matches.length} have the uuid ${wanted}: ${matches.join(', ')}`,
    details: { uuid: wanted, vmIds: matches },
    hint: 'name the proxy VM by its id in the configuration, or give the copies of it a uuid of their own',
  });
}

const NOT_A_VM = 'run inside a VM of this cloud that the user may see (USE rights), or name the proxy VM by its id in the configuration';

function unknownProxy(message: string, hint: string, uuid?: string, cause?: unknown): AttachError {
  return new AttachError({
    code: 'ATTACH_PROXY_UNKNOWN',
    message,
    hint,
    ...(uuid === undefined ? {} : { details: { uuid } }),
    ...(cause === undefined ? {} : { cause }),
  });
}
