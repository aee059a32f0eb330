#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8';

// Before anything is loaded: an old Node must get as far as the message.
const needed = [20, 19];
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < needed[0] || (major === needed[0] && minor < needed[1])) {
  process.stderr.write(`onevault needs Node ${needed.join('.')} or newer; this is ${process.version} (${process.execPath}).\n`);
  process.exit(1);
}
// Disk data passes by in buffers outside of V8's heap. Its limit follows the heap, which is small, so that every 16 MiB of them would cost a full collection:
// a sixth of the processor time of an encrypted backup. Four times as much between two collections is still little beside the buffers in use.
setFlagsFromString('--heap-growing-percent=300');
import('../dist/main.js').then(
  (cli) => cli.main(process),
  (error) => {
    const unbuilt = error?.code === 'ERR_MODULE_NOT_FOUND' && String(error.message).includes('dist/main.js');
    process.stderr.write(unbuilt ? 'onevault is not built: run npm run build\n' : `${error?.stack ?? error}\n`);
    process.exit(1);
  },
);
