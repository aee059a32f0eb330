import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RawAnswer } from '../testing/index.ts';
import { bodyLines, poolLines } from './recorded/body-lines.ts';
import type { Lab, Rebuilt, Table } from './recorded/lab.ts';
import { openLab702, TABLE_702 } from './recorded/lab-7.0.2.ts';
import { openLab740, TABLE_740 } from './recorded/lab-7.4.0.ts';
import { type RecordedVersion, type Recording, recordingsOf } from './recorded/recording.ts';

/** Every exchange recorded with a real oned is made again on a rebuilt cloud: the same request, and the same answer. */
describe.each<readonly [RecordedVersion, () => Promise<Lab>, Table]>([
  ['7.0.2', openLab702, TABLE_702],
  ['7.4.0', openLab740, TABLE_740],
])('recorded with %s', (version, open, table) => {
  const recordings = recordingsOf(version);
  let lab: Lab;
  beforeAll(async () => {
    lab = await open();
  }, 60_000);
  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]();
  });

  test('every recording is in the table, and nothing else is', () => {
    expect(Object.keys(table).sort()).toEqual(recordings.map((recording) => recording.number));
  });

  for (const recording of recordings) {
    const entry = table[recording.number];
    if (entry === undefined || 'cannot' in entry) continue; // with its reason, in the table
    test(`${recording.number} ${recording.name} is answered as it was`, () => compare(lab, recording, entry));
  }

  test('the simulator itself had no trouble', async () => {
    expect(await lab.one.sim.control.unexpectedErrors()).toEqual([]);
  });
});

async function compare(lab: Lab, recording: Recording, entry: Rebuilt): Promise<void> {
  await entry.before?.(lab);
  const ours = await lab.replay(recording);
  if (!entry.goesOn) await lab.one.sim.control.idle();
  const theirs = recording.answer;
  const frame = ({ ok, code, objectId, fault }: RawAnswer) => ({ ok, code, objectId, fault });
  expect(frame(ours)).toEqual(frame(theirs));
  if (!theirs.value.startsWith('<')) expect(ours.value).toBe(theirs.value);
  else if (/^<[A-Z]+(_[A-Z]+)?_POOL>/.test(theirs.value) || theirs.value.startsWith('<VMTEMPLATE_POOL>')) comparePools(ours.value, theirs.value, entry);
  else expect(bodyLines(ours.value, ...how(entry))).toEqual(bodyLines(theirs.value, ...how(entry)));
}

function how(entry: Rebuilt): [depth: 'values' | 'structure', leftOut: string[]] {
  return [entry.depth ?? 'values', Object.keys(entry.leftOut ?? {})];
}

/** The same objects in the same order; those that cannot be rebuilt are there, and no more is asked of them. */
function comparePools(ours: string, theirs: string, entry: Rebuilt): void {
  const [rebuilt, recorded] = [poolLines(ours, ...how(entry)), poolLines(theirs, ...how(entry))];
  expect([...rebuilt.keys()]).toEqual([...recorded.keys()]);
  for (const [id, lines] of recorded) if (!(id in (entry.without ?? {}))) expect(rebuilt.get(id)).toEqual(lines);
}
