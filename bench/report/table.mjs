import { barFor } from './bars.mjs';
import { median, medianRatio } from './statistics.mjs';

const GIB = 2 ** 30;
const MIB = 2 ** 20;

/** How a figure of each kind is printed, and what number of it a bar is about when there is no peer. */
const KINDS = {
  seconds: { print: (value) => `${value.toFixed(2)} s`, number: (value) => value },
  bytes: { print: (value) => `${(value / MIB).toFixed(1)} MiB`, number: (value) => value },
  memory: { print: (value) => `${(value / MIB).toFixed(0)} MiB`, number: (value) => value / MIB },
  'GiB/s': { print: (value) => `${value.toFixed(2)} GiB/s`, number: (value) => value },
  milliseconds: { print: (value) => `${value.toFixed(1)} ms`, number: (value) => value },
};

/** Adds medians, the ratio and the verdict to a row of measurements. */
export function judge(row) {
  const bar = barFor(row);
  const own = row.ours.length > 0 ? median(row.ours) : undefined;
  const their = row.theirs?.length > 0 ? median(row.theirs) : undefined;
  // Time and bytes: less is better, so the peer's stands on top.
  const ratio = own === undefined || their === undefined ? undefined : medianRatio(row.theirs, row.ours);
  const figure = row.peer === undefined ? own && KINDS[row.kind].number(own) : ratio;
  return { ...row, own, their, ratio, bar: bar && { floor: bar.floor, goal: bar.goal, atLeast: bar.atLeast }, verdict: verdictOf(figure, bar) };
}

function verdictOf(figure, bar) {
  if (bar === undefined) return '';
  if (figure === undefined) return 'not measured';
  const reaches = (value) => (bar.atLeast ? figure >= value : figure <= value);
  if (reaches(bar.goal)) return 'met';
  return reaches(bar.floor) ? 'floor met' : 'MISSED';
}

export function printTable(rows, facts, stream) {
  const lines = [['', 'onevault', 'peer', '', 'ratio', 'bar', ''], ...rows.map(cells)];
  const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  const text = lines.map((line) =>
    line
      .map((cell, column) => (column === 0 || column === 2 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
      .join('  ')
      .trimEnd(),
  );
  stream.write(`\n${text.join('\n')}\n\n${footnotes(rows, facts).join('\n')}\n`);
}

function cells({ measure, kind, peer, own, their, ratio, bar, verdict, absent }) {
  const { print } = KINDS[kind];
  return [
    measure,
    own === undefined ? '–' : print(own),
    peer ?? '',
    their === undefined ? (absent ?? '') : print(their),
    ratio === undefined ? '' : `${ratio.toFixed(2)}x`,
    bar === undefined ? '' : printBar(bar),
    own === undefined && absent !== undefined ? absent : verdict,
  ];
}

function printBar({ floor, goal, atLeast }) {
  const sign = atLeast ? '≥' : '≤';
  const round = (value) => String(Number(value.toFixed(2)));
  return floor === goal ? `${sign} ${round(goal)}` : `${sign} ${round(goal)} (floor ${round(floor)})`;
}

function footnotes(rows, { sizeBytes, rounds, cpus, memoryBytes, node, kernel }) {
  const direct = rows.find((row) => row.measure === 'scan, O_DIRECT' && row.own !== undefined);
  return [
    `${(sizeBytes / GIB).toFixed(2)} GiB disk, medians of ${rounds} rounds taken in turn; ratio: how many times faster or smaller than the peer.`,
    ...(sizeBytes === 8 * GIB ? [] : ['The bars are meant for 8 GiB; at another size they only show that everything runs.']),
    ...(direct
      ? [`dd reads ${(direct.bytes / GIB / direct.their).toFixed(2)} GiB/s from this disk, the scan ${(direct.bytes / GIB / direct.own).toFixed(2)} GiB/s.`]
      : []),
    'restic encrypts, which it cannot be told not to; onevault and borg did not. Full backups, restores and verifications start with an empty page cache when run as root.',
    `${cpus}, ${(memoryBytes / GIB).toFixed(0)} GiB, Linux ${kernel}, Node ${node}`,
  ];
}
