import { describe, expect, it } from 'vitest';
import type { RestoreMethod } from '../src/request.ts';
import { chooseMethod } from '../src/restore-method.ts';

/** Rows of ADR 51: driver, DS_MAD, wish, persistent, and what comes of it. */
const ROWS: readonly [string, string, RestoreMethod, boolean, 'direct' | 'saveas' | 'refused'][] = [
  ['qcow2', 'fs', 'auto', false, 'direct'],
  ['ceph', 'ceph', 'auto', true, 'direct'],
  ['ssh', 'fs', 'auto', false, 'direct'],
  ['ssh', 'fs', 'saveas', false, 'saveas'],
  ['lvm', 'lvm', 'auto', false, 'saveas'],
  ['lvm', 'lvm', 'auto', true, 'direct'],
  ['lvm', 'lvm', 'direct', false, 'refused'],
  ['dev', 'dev', 'auto', true, 'refused'],
  ['iscsi_libvirt', 'iscsi_libvirt', 'saveas', true, 'refused'],
];

describe('how a disk comes into its image', () => {
  it.each(ROWS)('driver %s of %s, %s, persistent %s: %s', (tmMad, dsMad, wish, persistent, expected) => {
    const verdict = chooseMethod({ wish, persistent, datastore: { tmMad, dsMad, name: 'images' } });
    expect('refused' in verdict ? 'refused' : verdict.method).toBe(expected);
  });
});
