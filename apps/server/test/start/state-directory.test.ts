import { mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStateDirectory } from '../../src/start/state-directory.ts';

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'onevault-state-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

describe('a state directory', () => {
  it('is made with all above it, for its user alone, and taken as it is the next time, also through a link', async () => {
    const path = join(scratch, 'a', 'b');
    const { secrets } = await openStateDirectory(path);
    expect((await stat(secrets)).mode & 0o777).toBe(0o700);
    await symlink(path, join(scratch, 'link'));
    expect(await openStateDirectory(join(scratch, 'link'))).toMatchObject({ settings: join(scratch, 'link', 'settings') });
  });

  it('that cannot be made is said at once, also below a place that takes no directories', async () => {
    await writeFile(join(scratch, 'file'), '');
    for (const path of [join(scratch, 'file'), join(scratch, 'file', 'x'), '/proc/onevault', '/proc/onevault/x'])
      await expect(openStateDirectory(path)).rejects.toMatchObject({ code: 'SERVER_STATE_UNUSABLE' });
  });
});
