import { describe, expect, test } from 'vitest';
import type { Image, Vm } from '../src/model.ts';
import { parseImage } from '../src/parse-image.ts';
import { parseVm } from '../src/parse-vm.ts';
import { imageGone, imageReady, vmPoweredOff, vmRunning, vmSettled, vmTerminated } from '../src/verdicts.ts';
import { recordedBody } from './recorded-body.ts';

const vm = parseVm(await recordedBody('7.0.2', '001-vm-info'));
const image = parseImage(await recordedBody('7.0.2', '006-image-info'));

const at = (state: number, lcmState = 0, error?: string): Vm => ({ ...vm, state, lcmState, error });
const imageAt = (state: number, error?: string): Image => ({ ...image, state, error });

const RUNNING = [3, 3] as const;
const HOTPLUG = [3, 17] as const;
const BOOT_FAILURE = [3, 36] as const;

describe('of a VM', () => {
  test.each([
    ['vmSettled', vmSettled, at(...RUNNING), 'done'],
    ['vmSettled', vmSettled, at(8), 'done'],
    ['vmSettled', vmSettled, at(...HOTPLUG), 'wait'],
    ['vmSettled', vmSettled, at(1), 'wait'],
    ['vmRunning', vmRunning, at(...RUNNING), 'done'],
    ['vmRunning', vmRunning, at(8), 'wait'],
    ['vmPoweredOff', vmPoweredOff, at(8), 'done'],
    ['vmPoweredOff', vmPoweredOff, at(...RUNNING), 'wait'],
    ['vmTerminated', vmTerminated, at(6), 'done'],
    ['vmTerminated', vmTerminated, at(...BOOT_FAILURE), 'wait'],
  ] as const)('%s', (_name, verdict, seen, expected) => {
    expect(verdict(seen)).toBe(expected);
  });

  test('what can no longer come about ends the wait, with oned’s own reason', () => {
    for (const verdict of [vmSettled, vmRunning, vmPoweredOff]) {
      expect(() => verdict(at(...BOOT_FAILURE, 'no KVM'))).toThrow(
        expect.objectContaining({
          code: 'ONE_WAIT_FAILED_STATE',
          message: 'VM 6 is BOOT_FAILURE: no KVM',
          details: { object: 'VM 6', lastState: 'BOOT_FAILURE' },
        }),
      );
      expect(() => verdict(at(6))).toThrow(expect.objectContaining({ code: 'ONE_WAIT_FAILED_STATE' }));
    }
  });
});

describe('of an image', () => {
  test('imageReady', () => {
    expect([imageReady(imageAt(1)), imageReady(imageAt(4)), imageReady(imageAt(2))]).toEqual(['done', 'wait', 'wait']);
    expect(() => imageReady(imageAt(5, 'Error copying'))).toThrow(
      expect.objectContaining({ code: 'ONE_WAIT_FAILED_STATE', message: 'image 0 is ERROR: Error copying' }),
    );
    expect(() => imageReady(undefined)).toThrow(expect.objectContaining({ code: 'ONE_WAIT_FAILED_STATE' }));
  });

  test('imageGone', () => {
    expect([imageGone(undefined), imageGone(imageAt(7))]).toEqual(['done', 'wait']);
    expect(() => imageGone(imageAt(5))).toThrow(expect.objectContaining({ code: 'ONE_WAIT_FAILED_STATE' }));
  });
});
