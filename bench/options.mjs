import { parseArgs } from 'node:util';

const UNITS = { '': 1, B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };

/** `8GiB` as bytes. */
export function parseSize(text) {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)\s*([KMGT]iB|B)?$/.exec(text) ?? [];
  if (digits === undefined) throw new UsageError(`"${text}" is not a size; write 8GiB or 256MiB`);
  return Math.round(Number(digits) * UNITS[unit ?? '']);
}

/** `0.1%` or `0.001` as a fraction. */
export function parseFraction(text) {
  const [, digits, percent] = /^(\d+(?:\.\d+)?)(%)?$/.exec(text) ?? [];
  if (digits === undefined) throw new UsageError(`"${text}" is not a part of something; write 2% or 0.02`);
  return Number(digits) / (percent === undefined ? 1 : 100);
}

export function parseCount(text) {
  if (!/^[1-9]\d*$/.test(text)) throw new UsageError(`"${text}" is not a number of something; write 3`);
  return Number(text);
}

/** Parses what `parseArgs` takes, each value by its own parser; `--help` and mistakes end the program with the usage. */
export function readOptions(usage, options) {
  try {
    const { values } = parseArgs({ options: { ...options, help: { type: 'boolean', default: false } } });
    if (values.help) return exit(usage, 0);
    return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, options[name]?.parse ? options[name].parse(value) : value]));
  } catch (error) {
    return exit(`${error.message}\n\n${usage}`, 2);
  }
}

class UsageError extends Error {}

function exit(text, code) {
  process.stderr.write(`${text}\n`);
  process.exit(code);
}
