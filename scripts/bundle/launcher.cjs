#!/usr/bin/env node
// Needs nothing but this Node: no shell tools, no PATH. That it is new enough is checked by what it loads.
import('../lib/bin/onevault.js').catch((error) => {
  process.stderr.write(`${error?.stack ?? error}\n`);
  process.exitCode = 1;
});
