import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { memoryExport } from '../testing/index.ts';
import { content, servingPlace } from './serving.ts';

const place = servingPlace();

describe('listening', () => {
  it('gives a Unix socket to its owner alone', async () => {
    await place.serve();
    expect((await stat(place.path)).mode & 0o777).toBe(0o600);
  });

  it('takes the place of a server that was killed, not of one that lives, nor of a file', async () => {
    await place.serve();
    await expect(place.serve()).rejects.toMatchObject({ code: 'NBD_SOCKET_IN_USE' });
    const file = join(place.directory, 'file');
    await writeFile(file, 'precious');
    await expect(place.serve(memoryExport(content), { listen: { kind: 'unix', path: file } })).rejects.toMatchObject({ code: 'NBD_SOCKET_IN_USE' });
  });

  it('refuses plaintext on an address that others reach, unless that is wanted', async () => {
    const listen = { kind: 'tcp', host: '0.0.0.0', port: 0 } as const;
    await expect(place.serve(memoryExport(content), { listen })).rejects.toMatchObject({ code: 'NBD_PLAINTEXT_REFUSED' });
    const server = await place.serve(memoryExport(content), { listen: { ...listen, host: '127.0.0.1' } });
    expect(server.address).toMatchObject({ kind: 'tcp', host: '127.0.0.1' });
    await place.serve(memoryExport(content), { listen, insecure: true });
  });

  it('refuses a socket path that the system would cut off, and a name that the protocol cannot carry', async () => {
    await expect(place.serve(memoryExport(content), { listen: { kind: 'unix', path: join(place.directory, 'x'.repeat(120)) } })).rejects.toMatchObject({
      code: 'NBD_LISTEN_FAILED',
    });
    const exports = new Map([['a\0b', memoryExport(content)]]);
    await expect(place.serve(memoryExport(content), { exports })).rejects.toMatchObject({ code: 'NBD_EXPORT_NAME' });
  });
});
