import { chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requiresRoot, testWith } from '@onevault/base/testing';
import { expect, test } from 'vitest';
import { refuseStateOfOthers } from '../src/state-of-others.ts';

testWith([requiresRoot()], 'root is kept out of a state directory that is a service’s, and of no other', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'onevault-state-'));
  try {
    await refuseStateOfOthers(directory, 0);
    await refuseStateOfOthers(join(directory, 'not-yet'), 0);
    await chown(directory, 65534, 65534);
    await expect(refuseStateOfOthers(directory, 0)).rejects.toMatchObject({ code: 'CLI_STATE_DIR_INVALID', details: { owner: 65534 } });
    await refuseStateOfOthers(directory, 65534);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('where nobody has an effective user nobody is kept out', async () => {
  await refuseStateOfOthers(tmpdir(), undefined);
});
