import { readdir } from 'node:fs/promises';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { expect, test } from 'vitest';
import { ROOT } from './scratch.mjs';

test.for((await readdir(`${ROOT}packages`)).map((name) => `packages/${name}`))(
  '%s can be published: its entries exist, and resolve with types',
  async (dir) => {
    const { messages, pkg } = await publint({ pkgDir: `${ROOT}${dir}`, pack: false, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([]);
  },
);
