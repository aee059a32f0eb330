import { runMeasured } from '../measure/run.mjs';

/** The plain sequential read that a scan is held against. */
export function ddRead(path) {
  return runMeasured('dd', [`if=${path}`, 'of=/dev/null', 'iflag=direct', 'bs=8M', 'status=none']);
}
