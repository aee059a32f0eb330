import { RepositoryError } from '@onevault/backup-format';
import { JobError } from '@onevault/orchestrator';
import { describe, expect, it } from 'vitest';
import { ServerError } from '../../src/errors.ts';
import { isWorthAnotherTry, mayComeAgain } from '../../src/work/retryable.ts';

const job = (code: 'JOB_VM_BUSY' | 'JOB_PLAN_REFUSED' | 'JOB_EFFECT_MISSING') => new JobError({ code, message: code });
const coded = (code: string) => Object.assign(new Error(code), { code });

describe('whether a failed run is tried again', () => {
  it.each([
    ['somebody else is at work on the VM', job('JOB_VM_BUSY'), true],
    ['OpenNebula said yes and did nothing', job('JOB_EFFECT_MISSING'), true],
    ['the plan is refused', job('JOB_PLAN_REFUSED'), false],
    ['the repository does not answer', new RepositoryError({ code: 'REPO_UNREACHABLE', message: 'x' }), true],
    ['it says itself that it may go', new RepositoryError({ code: 'REPO_ACCESS_DENIED', message: 'x', retryable: true }), true],
    ['the key is wrong', new RepositoryError({ code: 'REPO_KEY_REJECTED', message: 'x' }), false],
    ['data is damaged', new RepositoryError({ code: 'REPO_CHUNK_CORRUPT', message: 'x' }), false],
    ['a disk was not found in the proxy', coded('ATTACH_DEVICE_ABSENT'), true],
    ['credentials are wrong', coded('ONE_AUTHENTICATION'), false],
    ['a command of the policy failed', new ServerError({ code: 'SERVER_COMMAND_FAILED', message: 'x' }), true],
    ['a defect of ours', new TypeError('x is not a function'), false],
    ['it was told to stop', new DOMException('stop', 'AbortError'), false],
    ['clean-up failed after what counts', new AggregateError([job('JOB_VM_BUSY'), job('JOB_PLAN_REFUSED')]), true],
  ])('%s', (_, error, expected) => {
    expect(isWorthAnotherTry(error)).toBe(expected);
  });

  it('never by itself where a VM is stopped for it', () => {
    expect(['backup', 'restore', 'snapshot-create', 'drill', 'verify', 'retention', 'gc', 'forget'].every(mayComeAgain)).toBe(true);
    expect(['restore-in-place', 'undo', 'snapshot-revert', 'snapshot-delete', 'recover'].some(mayComeAgain)).toBe(false);
  });
});
