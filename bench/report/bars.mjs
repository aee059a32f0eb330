/**
 * What each figure is held against, for the 8 GiB disk on two cores. `goal` is where it should be, `floor` what it must not fall below.
 * A ratio is how many times faster (or smaller: repository sizes) we are than the peer.
 */
export const BARS = [
  { measure: 'scan, O_DIRECT', peer: 'dd', atLeast: true, floor: 0.95, goal: 0.95 },
  { measure: 'scan, page cache', atLeast: true, floor: 2.5, goal: 3 },
  { measure: 'full backup', peer: 'restic', atLeast: true, floor: 2.5, goal: 3 },
  { measure: 'full backup', peer: 'borg', atLeast: true, floor: 1.8, goal: 1.8 },
  // Ours beside ours: encryption costs at most a quarter.
  { measure: 'full backup', peer: 'encrypted', atLeast: false, floor: 1.25, goal: 1.25 },
  { measure: 'repository, full', peer: 'restic', atLeast: true, floor: 1 / 1.05, goal: 1 },
  { measure: 'incremental', peer: 'restic', atLeast: true, floor: 4, goal: 5 },
  { measure: 'incremental', peer: 'borg', atLeast: true, floor: 2, goal: 2 },
  { measure: 'restore to a file', peer: 'restic', atLeast: true, floor: 1, goal: 1.2 },
  { measure: 'verify all', peer: 'restic', atLeast: true, floor: 1.2, goal: 1.2 },
  // An image is at most a tenth larger, a client of the NBD server gets 0.8 of the export, a delta of 1 % is 5 times as fast.
  { measure: 'export raw', peer: 'restic', atLeast: true, floor: 1, goal: 1 },
  { measure: 'size of qcow2 zlib', peer: 'qemu-img', atLeast: true, floor: 1 / 1.1, goal: 1 },
  { measure: 'size of qcow2 zstd', peer: 'qemu-img', atLeast: true, floor: 1 / 1.1, goal: 1 },
  { measure: 'nbdcopy from our server', peer: 'our export', atLeast: true, floor: 0.8, goal: 0.8 },
  { measure: 'delta restore', peer: 'full', atLeast: true, floor: 5, goal: 5 },
  { measure: 'delta restore: written', peer: 'full', atLeast: true, floor: 50, goal: 70 },
  { measure: /: peak memory$/, atLeast: false, floor: 350, goal: 350 },
  { measure: /: loop delay p99$/, atLeast: false, floor: 50, goal: 50 },
];

export function barFor({ measure, peer }) {
  return BARS.find((bar) => bar.peer === peer && (bar.measure instanceof RegExp ? bar.measure.test(measure) : bar.measure === measure));
}
