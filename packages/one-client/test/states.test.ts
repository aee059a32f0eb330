import { describe, expect, test } from 'vitest';
import * as states from '../src/states.ts';

const vm = (state: number, lcmState = 0): states.VmStates => ({ state, lcmState });

describe('names', () => {
  test.each([
    [3, 3, 'RUNNING', 'runn'],
    [8, 0, 'POWEROFF', 'poff'],
    [5, 0, 'SUSPENDED', 'susp'],
    [1, 0, 'PENDING', 'pend'],
    [6, 0, 'DONE', 'done'],
    [9, 0, 'UNDEPLOYED', 'unde'],
    [3, 17, 'HOTPLUG', 'hotp'],
    [3, 26, 'HOTPLUG_SAVEAS', 'hotp'],
    [3, 57, 'DISK_SNAPSHOT', 'snap'],
    [3, 59, 'DISK_SNAPSHOT_DELETE', 'snap'],
    [3, 52, 'DISK_SNAPSHOT_REVERT_POWEROFF', 'snap'],
    [3, 36, 'BOOT_FAILURE', 'fail'],
    [3, 16, 'UNKNOWN', 'unkn'],
  ])('VM %i/%i is %s, %s', (state, lcmState, name, short) => {
    expect(states.vmStateName(vm(state, lcmState))).toBe(name);
    expect(states.vmStateShortName(vm(state, lcmState))).toBe(short);
  });

  test('LCM_STATE says nothing about a VM that is not ACTIVE', () => {
    expect(states.vmStateName(vm(8, 3))).toBe('POWEROFF');
    expect(states.isRunning(vm(8, 3))).toBe(false);
  });

  test('images, datastores and hosts', () => {
    expect([1, 2, 4, 5, 7, 8].map(states.imageStateShortName)).toEqual(['rdy', 'used', 'lock', 'err', 'dele', 'used']);
    expect([0, 1].map(states.datastoreStateShortName)).toEqual(['on', 'off']);
    expect([2, 3, 4, 8].map(states.hostStateShortName)).toEqual(['on', 'err', 'dsbl', 'off']);
    expect([states.imageStateName(9), states.datastoreStateName(0), states.hostStateName(2)]).toEqual(['LOCKED_USED', 'READY', 'MONITORED']);
  });

  test('a state of a later OpenNebula prints as its number and counts as under way', () => {
    expect(states.vmStateName(vm(3, 99))).toBe('99');
    expect(states.vmStateName(vm(42))).toBe('42');
    expect(states.imageStateName(42)).toBe('42');
    expect(states.isTransient(vm(3, 99))).toBe(true);
  });
});

describe('predicates', () => {
  const kinds = (one: states.VmStates): readonly boolean[] => [
    states.isStable(one),
    states.isFailed(one),
    states.isDone(one),
    states.isPending(one),
    states.isTransient(one),
  ];

  test('every VM is exactly one of stable, failed, done, pending and transient', () => {
    for (let state = 0; state <= 12; state++) {
      for (let lcmState = 0; lcmState <= 72; lcmState++) {
        expect(kinds(vm(state, lcmState)).filter(Boolean).length, `${state}/${lcmState}`).toBe(1);
      }
    }
  });

  test('the states in which OpenNebula takes disk operations are the stable ones', () => {
    expect([vm(3, 3), vm(8), vm(5), vm(4), vm(9)].every(states.isStable)).toBe(true);
    expect([vm(3, 17), vm(3, 26), vm(3, 59), vm(3, 16), vm(1), vm(6), vm(10), vm(11), vm(3, 36)].some(states.isStable)).toBe(false);
  });

  test('every *_FAILURE state is failed, no other is', () => {
    for (let lcmState = 0; lcmState <= 71; lcmState++) {
      expect(states.isFailed(vm(3, lcmState))).toBe(states.vmStateName(vm(3, lcmState)).endsWith('_FAILURE'));
    }
    expect(states.isFailed(vm(11))).toBe(true);
  });
});
