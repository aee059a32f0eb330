import { describe, expect, it } from 'vitest';
import { classifyRefusal } from '../src/refusal.ts';
import { noAnswer, refusal } from '../testing/index.ts';

describe('classifyRefusal', () => {
  it.each([
    ['[one.vm.attach] Target vdx is already in use.', 'target-taken'],
    ['[one.vm.attach] Could not attach a new disk to VM 9, wrong state HOTPLUG.', 'busy'],
    ['[one.vm.detach] Could not detach disk with DISK_ID 99, it does not exist.', 'no-such-disk'],
    ['[one.vm.detach] VM disk does not exist', 'no-such-disk'],
    ['[one.vm.attach] Image with ID: 9999 does not exist', 'refused'],
    ['[one.vm.attach] Cannot acquire image 57, it is persistent and already in use', 'refused'],
    ['[one.vm.attach] Cannot acquire image 57, it is in state: ERROR', 'refused'],
    ['[one.vm.attach] User [2] : Not authorized to perform MANAGE VM [9].', 'refused'],
  ])('%s is %s', (message, kind) => {
    expect(classifyRefusal(refusal(message))).toBe(kind);
  });

  it('takes what oned did not say for no answer, whatever its words', () => {
    expect(classifyRefusal(noAnswer('wrong state'))).toBe('unanswered');
    expect(classifyRefusal(new Error('Target vdx is already in use.'))).toBe('unanswered');
    expect(classifyRefusal(noAnswer('connect ECONNREFUSED', 'no'))).toBe('unsent');
    expect(classifyRefusal('text')).toBe('unanswered');
  });
});
