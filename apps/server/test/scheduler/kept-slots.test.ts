import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@onevault/base';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { slotKeyText } from '../../src/scheduler/handled-slots.ts';
import { keptSlots, readKeptSlots } from '../../src/scheduler/kept-slots.ts';
import { ScheduleStage } from './schedule-stage.ts';

const NIGHTLY = { policy: 'nightly', schedule: '22:00 UTC auto' };
const GC = { policy: 'repository main', schedule: 'gc sun 03:00 UTC' };

describe('slots that were dealt with, beside the database', () => {
  let directory: string;
  let path: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'onevault-kept-'));
    path = join(directory, 'schedules.json');
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  it('are in a file as soon as they are in the database, and what goes from there goes from it', async () => {
    const { slots } = new ScheduleStage('2026-11-27T22:00:00Z');
    const kept = keptSlots(slots, path, silentLogger);
    await kept.remember(NIGHTLY, 1000, undefined);
    expect(await readKeptSlots(path, silentLogger)).toEqual(new Map([[slotKeyText(NIGHTLY), 1000]]));
    await kept.remember(GC, 2000, undefined);
    await kept.remember(NIGHTLY, 5000, 4000); // somebody else was faster
    expect(await readKeptSlots(path, silentLogger)).toEqual(await slots.all());
    await kept.keepOnly(new Set([slotKeyText(GC)]));
    expect(await readKeptSlots(path, silentLogger)).toEqual(new Map([[slotKeyText(GC), 2000]]));
  });

  it('are written when they are first read by a version that had no such file', async () => {
    const { slots } = new ScheduleStage('2026-11-27T22:00:00Z');
    await slots.remember(NIGHTLY, 1000, undefined);
    expect(await readKeptSlots(path, silentLogger)).toBeUndefined();
    expect(await keptSlots(slots, path, silentLogger).all()).toEqual(new Map([[slotKeyText(NIGHTLY), 1000]]));
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({ version: 1, schedules: [{ ...NIGHTLY, handled: '1970-01-01T00:00:01.000Z' }] });
  });

  it('keep nothing from running when the file cannot be written, and count as unknown when it cannot be read', async () => {
    const said: string[] = [];
    const logger = { ...silentLogger, warn: (_fields: object, message: string) => void said.push(message) };
    const stage = new ScheduleStage('2026-11-27T22:00:00Z');
    await mkdir(path);
    await keptSlots(stage.slots, path, logger).remember(NIGHTLY, 1000, undefined);
    expect(stage.handled.size).toBe(1);
    await rm(path, { recursive: true });
    await writeFile(path, '{"version":1,"schedules":[{"policy":');
    expect(await readKeptSlots(path, logger)).toBeUndefined();
    expect(said).toHaveLength(2);
  });
});
