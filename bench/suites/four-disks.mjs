import { dropPageCache } from '../measure/page-cache.mjs';

/** Four disks at once in one process: does the event loop still answer, and does memory stay within its bound? */
export async function measureFourDisks({ devices, ours, note }) {
  const measure = 'four disks at once';
  if (devices === undefined) return [{ measure, kind: 'milliseconds', ours: [], absent: 'needs root and loop devices' }];
  await ours.create();
  await dropPageCache();
  const measured = await ours.fullOfMany(devices);
  note(`four disks at once: ${measured.seconds.toFixed(1)} s`);
  return [
    { measure: `${measure}: loop delay p99`, kind: 'milliseconds', ours: [measured.loopDelayP99Ms] },
    { measure: `${measure}: peak memory`, kind: 'memory', ours: [measured.peakBytes] },
  ];
}
