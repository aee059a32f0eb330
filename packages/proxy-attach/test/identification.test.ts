import { describe, expect, it } from 'vitest';
import { chooseIdentification } from '../src/index.ts';

describe('chooseIdentification', () => {
  it.each(['7.0.2', '7.0.10', '7.2.0', '7.4.0', '8.0.0', '10.0.0', '7.4.0-rc1'])('on %s: virtio-blk by serial', (version) => {
    expect(chooseIdentification(version)).toEqual({ bus: 'vd', serialReachesGuest: true, byDifference: false });
  });

  it.each(['6.10.5', '6.99.9', '7.0.0', '7.0.1', '', 'edge'])('on "%s": virtio-scsi by address', (version) => {
    expect(chooseIdentification(version)).toEqual({ bus: 'sd', serialReachesGuest: false, byDifference: false });
  });

  it('obeys the bus and the permission it is given', () => {
    expect(chooseIdentification('7.4.0', { bus: 'sd' })).toEqual({ bus: 'sd', serialReachesGuest: true, byDifference: false });
    expect(chooseIdentification('6.10.5', { bus: 'vd', byDifference: true })).toEqual({ bus: 'vd', serialReachesGuest: false, byDifference: true });
  });
});
