#!/usr/bin/env node
// Needs nothing but this Node: no shell tools, no PATH. Plain enough for an old one to say that it is too old.
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`onevault needs Node 20.19 or newer; this is ${process.version} (${process.execPath}).\n`);
  process.exit(1);
}
import('../lib/bin/onevault.js').catch((error) => {
  process.stderr.write(`${error?.stack ?? error}\n`);
  process.exitCode = 1;
});
