import fc from 'fast-check';
import { expect, it } from 'vitest';
import { lineDiff } from '../../src/settings/line-diff.ts';

const texts = fc.array(fc.constantFrom('a', 'b', 'c: 1', ' d', '')).map((lines) => lines.map((line) => `${line}\n`).join(''));

it('a difference of lines has both texts in it, and says nothing of equal ones', () => {
  fc.assert(
    fc.property(texts, texts, (before, after) => {
      const lines = lineDiff(before, after).split('\n').slice(0, -1);
      const side = (signs: string): string => lines.flatMap((line) => (signs.includes(line[0] ?? '') ? [`${line.slice(1)}\n`] : [])).join('');
      if (before === after) expect(lines).toEqual([]);
      else expect([side(' -'), side(' +')]).toEqual([before, after]);
    }),
  );
});
