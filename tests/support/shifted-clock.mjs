// Gives a process a clock on the wall that goes before the machine's by as many ms as stand in the file SHIFTED_CLOCK, which SIGUSR2 makes it read again: node --import shifted-clock.mjs …
import { readFileSync } from 'node:fs';

const Machine = Date;
let aheadMs = 0;
const read = () => {
  aheadMs = Number(readFileSync(process.env.SHIFTED_CLOCK, 'utf8'));
};
read();
process.on('SIGUSR2', read);

globalThis.Date = class extends Machine {
  constructor(...args) {
    if (args.length === 0) super(Machine.now() + aheadMs);
    else super(...args);
  }
  static now() {
    return Machine.now() + aheadMs;
  }
};
