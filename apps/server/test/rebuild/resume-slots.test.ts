import { compilePolicy, type Policy, parsePolicy } from '@onevault/policies';
import { describe, expect, it } from 'vitest';
import { NO_POINT, resumeSlot } from '../../src/rebuild/resume-slots.ts';
import { type TimetableEntry, timetableOf } from '../../src/scheduler/timetable.ts';
import { NO_SETTINGS } from '../catalog/catalog-lab.ts';
import { policyDocument } from '../scheduler/schedule-stage.ts';

const at = (text: string): number => Date.parse(`2026-11-${text}Z`);
const SLOT = at('27T22:00:00');
const [NIGHTLY] = timetableOf({ ...NO_SETTINGS, policies: [compilePolicy<Policy>(parsePolicy(policyDocument()), SLOT)] }) as [TimetableEntry];

describe('where a schedule goes on when the database is lost', () => {
  const cases: readonly [string, number | undefined, number | undefined, { handledMs: number; againMs: number | undefined } | undefined][] = [
    ['nothing is known: with its next run', undefined, undefined, undefined],
    ['it never had a restore point, and nobody knows when it was set: with its next run', undefined, NO_POINT, undefined],
    ['only restore points tell: behind the newest', undefined, at('27T22:07:00'), { handledMs: at('27T22:07:00'), againMs: undefined }],
    ['its last slot had begun: with that one, for VMs that have no restore point since', SLOT, at('27T22:07:00'), { handledMs: SLOT - 1, againMs: SLOT }],
    ['its last slot had just begun: with that one, for all', SLOT, at('26T22:07:00'), { handledMs: SLOT - 1, againMs: SLOT }],
    ['its first slot had just begun: with that one, for all', SLOT, NO_POINT, { handledMs: SLOT - 1, againMs: SLOT }],
    ['the repository is away: behind its last slot, and nothing comes twice', SLOT, undefined, { handledMs: SLOT, againMs: undefined }],
    ['it was set after the last slot: that one was never its own', at('28T09:00:00'), NO_POINT, { handledMs: at('28T09:00:00'), againMs: undefined }],
    ['it was set after the last slot, and somebody ran it by hand', at('28T09:00:00'), at('28T09:30:00'), { handledMs: at('28T09:30:00'), againMs: undefined }],
    ['the file is an old copy: with the slot of the newest restore point', at('20T22:00:00'), at('27T22:07:00'), { handledMs: SLOT - 1, againMs: SLOT }],
    ['its slot is being looked at again when the database is lost again', SLOT - 1, at('27T22:07:00'), { handledMs: SLOT - 1, againMs: SLOT }],
  ];
  it.each(cases)('%s', (_name, kept, newest, resumed) => {
    expect(resumeSlot(NIGHTLY, kept, newest)).toEqual(resumed && { entry: NIGHTLY, ...resumed });
  });
});
