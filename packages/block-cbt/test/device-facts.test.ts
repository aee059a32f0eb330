import { expect, it } from 'vitest';
import { deviceNumber } from '../src/device-facts.ts';

it.each([
  [0xfd00n, '253:0'],
  [0x0801n, '8:1'],
  [0x10300n, '259:0'],
  [(0x12n << 20n) | 0xfd34n, `253:${0x1234}`],
  [(0x1n << 44n) | 0x0801n, `${0x1008}:1`],
])('device number %d is %s', (rdev, expected) => expect(deviceNumber(rdev)).toBe(expected));
