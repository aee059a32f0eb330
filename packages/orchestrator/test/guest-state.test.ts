import { describe, expect, it } from 'vitest';
import { compareStates } from '../src/guest-state.ts';
import { buildVm } from '../testing/index.ts';

describe('the state of a guest, before and after', () => {
  const running = buildVm();
  const poweroff = buildVm({ state: 8, lcmState: 0 });
  const suspended = buildVm({ state: 5, lcmState: 0 });

  it('is nothing to speak of when it is the same, or the VM is gone', () => {
    expect(compareStates(running, running)).toBeUndefined();
    expect(compareStates(poweroff, poweroff)).toBeUndefined();
    expect(compareStates(running, buildVm({ state: 6 }))).toBeUndefined();
  });

  it.each([
    ['RUNNING', running, 'SUSPENDED', suspended, 'onevm resume 6'],
    ['RUNNING', running, 'POWEROFF', poweroff, 'onevm resume 6'],
    ['POWEROFF', poweroff, 'RUNNING', running, 'onevm poweroff 6'],
    ['SUSPENDED', suspended, 'POWEROFF', poweroff, 'onevm resume 6, then onevm suspend 6'],
  ])('from %s (%#) to %s names the way back', (_was, before, _is, now, remedy) => {
    const verdict = compareStates(before, now);
    expect(verdict?.code).toBe('GUEST_STATE_CHANGED');
    expect(verdict?.message.endsWith(`: ${remedy}`)).toBe(true);
  });

  it('that does not come to rest is another warning, with what OpenNebula says of it', () => {
    const verdict = compareStates(running, buildVm({ lcmState: 57, error: 'Sun Nov 22: freeze failed' }));
    expect(verdict).toMatchObject({ code: 'GUEST_STATE_STUCK', message: expect.stringContaining('freeze failed') });
  });
});
