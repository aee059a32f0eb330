import { Readable } from 'node:stream';
import { type CallOptions, type Logger, Scope, serializeError } from '@onevault/base';
import { escapeName, type GuestEntry } from '@onevault/guest-files';
import type { FileAnswer } from '../../ports/call.ts';
import type { Held } from '../shared-resource.ts';
import type { FileSession } from './file-sessions.ts';
import type { Place } from './list-files.ts';

/**
 * A file, or a directory with all below it as tar, while it is read. What is wrong with the path is thrown; what goes wrong later on breaks the stream, so that nobody takes
 * half a file for a whole one. The session is given back when the stream is closed; one that was not read to its end is over.
 */
export async function readFile(
  held: Held<FileSession>,
  { filesystem, path }: Place,
  logger: Logger,
  options: CallOptions,
): Promise<FileAnswer & { readonly body: Readable }> {
  await using scope = new Scope();
  scope.use(held);
  const { files, turn } = held.value;
  // Until the stream is closed: somebody else's directory would change what the path is of.
  scope.use(await turn.take());
  await files.useFileSystem(filesystem);
  const entry = await files.stat(path, { follow: true });
  const isDirectory = entry.facts?.type === 'directory';
  const source = isDirectory ? files.tar(path) : files.read(path);
  return {
    contentType: isDirectory ? 'application/x-tar' : 'application/octet-stream',
    filename: `${nameOf(entry, path)}${isDirectory ? '.tar' : ''}`,
    body: streamOf(source, { held, owned: scope.move(), logger }, options),
  };
}

interface Owning {
  readonly held: Held<FileSession>;
  readonly owned: AsyncDisposable;
  readonly logger: Logger;
}

function streamOf(source: AsyncGenerator<Buffer, unknown>, { held, owned, logger }: Owning, { signal }: CallOptions): Readable {
  let isWhole = false;
  async function* bytes(): AsyncGenerator<Buffer, void> {
    for await (const chunk of source) yield chunk;
    isWhole = true;
  }
  async function giveBack(): Promise<void> {
    if (!isWhole) held.broken();
    try {
      await source.return(undefined);
    } catch (error) {
      logger.warn({ error: serializeError(error) }, 'a file was not read to its end');
    } finally {
      await owned[Symbol.asyncDispose]();
    }
  }
  const body = Readable.from(bytes(), { objectMode: false, ...(signal !== undefined && { signal }) });
  // Also when nobody has begun to read it: a generator that was never started has no end.
  body.once('close', () => void giveBack());
  // Whoever pipes it hears of errors; without anybody it must not end the process.
  body.on('error', () => undefined);
  return body;
}

/** The last component, as text; `files` for a whole file system. */
function nameOf({ name }: GuestEntry, path: Buffer): string {
  const last = name.length > 0 ? name : path.subarray(path.lastIndexOf(0x2f) + 1);
  return last.length === 0 ? 'files' : escapeName(last);
}
