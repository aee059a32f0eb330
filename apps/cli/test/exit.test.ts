import { BaseError, Secret } from '@onevault/base';
import { describe, expect, test } from 'vitest';
import { CliError, usageError } from '../src/errors.ts';
import { EXIT, exitCodeOf, reportError } from '../src/exit.ts';
import { Cancelled } from '../src/signals.ts';
import { recordedOutput } from './support/recorder.ts';

class AnyError extends BaseError {}

const withCode = (code: string): AnyError => new AnyError({ code, message: 'read disk 0 of VM 6: it is gone', hint: 'look for it' });

describe('exitCodeOf', () => {
  test.each([
    ['CLI_USAGE', EXIT.usage],
    ['CLI_REPOSITORY_UNSET', EXIT.usage],
    ['CLI_VM_NOT_FOUND', EXIT.failed],
    ['CLI_VM_AMBIGUOUS', EXIT.failed],
    ['CLI_VM_IN_USE', EXIT.locked],
    ['CLI_POINT_NOT_FOUND', EXIT.failed],
    ['JOB_PLAN_REFUSED', EXIT.failed],
    ['JOB_PLAN_EMPTY', EXIT.failed],
    ['JOB_NAME_INVALID', EXIT.usage],
    ['REPO_NOT_FOUND', EXIT.noRepository],
    ['REPO_PATH_INVALID', EXIT.noRepository],
    ['REPO_BUCKET_MISSING', EXIT.noRepository],
    ['REPO_URL_INVALID', EXIT.usage],
    ['REPO_ACCESS_DENIED', EXIT.failed],
    ['REPO_UNSUPPORTED_VERSION', EXIT.failed],
    ['REPO_NO_SPACE', EXIT.failed],
    ['REPO_NOT_WRITABLE', EXIT.failed],
    ['REPO_POINT_NOT_FOUND', EXIT.failed],
    ['REPO_KEY_REQUIRED', EXIT.wrongKey],
    ['REPO_KEY_REJECTED', EXIT.wrongKey],
    ['REPO_RETENTION_EMPTY', EXIT.usage],
    ['REPO_TIMEZONE_UNKNOWN', EXIT.usage],
    ['REPO_POINT_HELD', EXIT.failed],
    ['REPO_POINT_LAST_GOOD', EXIT.failed],
    ['REPO_CHUNK_CORRUPT', EXIT.damage],
    ['REPO_PACK_INVALID', EXIT.damage],
    ['REPO_INDEX_INVALID', EXIT.damage],
    ['REPO_MANIFEST_INVALID', EXIT.damage],
    ['ONE_UNREACHABLE', EXIT.cloud],
    ['ONE_AUTHENTICATION', EXIT.cloud],
    ['ONE_ACTION', EXIT.cloud],
    ['ONE_CREDENTIALS_MISSING', EXIT.cloud],
    ['ONE_RESPONSE_TOO_LARGE', EXIT.cloud],
    ['ATTACH_DEVICE_AMBIGUOUS', EXIT.failed],
    ['CBT_SHORT_READ', EXIT.failed],
    ['SIM_ANYTHING', EXIT.failed],
  ])('%s leaves with %d', (code, exit) => {
    expect(exitCodeOf(withCode(code))).toBe(exit);
  });

  test('a cancelled run leaves with 130, whatever else went wrong while it was unwound', () => {
    expect(exitCodeOf(new Cancelled('cancelled by SIGINT'))).toBe(130);
    expect(exitCodeOf(new AggregateError([new Cancelled('cancelled by SIGINT'), withCode('ONE_ACTION')]))).toBe(130);
  });

  test('what no package declared is a plain failure', () => {
    expect(exitCodeOf(new TypeError('x is not a function'))).toBe(1);
    expect(exitCodeOf('text')).toBe(1);
  });
});

describe('reportError', () => {
  test('says what was attempted, the hint and the code, and no stack', () => {
    const output = recordedOutput();
    expect(reportError(output, withCode('CBT_SHORT_READ'))).toBe(1);
    expect(output.err()).toBe('error: read disk 0 of VM 6: it is gone\nhint: look for it\ncode: CBT_SHORT_READ\n');
    expect(output.out()).toBe('');
  });

  test('adds the cause when the message does not already say it', () => {
    const output = recordedOutput();
    reportError(
      output,
      new CliError({ code: 'CLI_VM_NOT_FOUND', message: 'there is no VM 99', cause: new Error('one.vm.info: Error getting virtual machine [99]') }),
    );
    expect(output.err()).toContain('cause: one.vm.info: Error getting virtual machine [99]\n');
  });

  test('shows stacks with -v -v only', () => {
    const output = recordedOutput({ verbosity: 2 });
    reportError(output, withCode('CBT_SHORT_READ'));
    expect(output.err()).toMatch(/\n\s+at /);
  });

  test('a defect says so and names no stack either', () => {
    const output = recordedOutput();
    expect(reportError(output, new TypeError('x is not a function'))).toBe(1);
    expect(output.err()).toContain('code: INTERNAL\n');
    expect(output.err()).not.toMatch(/\n\s+at /);
  });

  test('is one document on stderr in the JSON modes, with the exit code in it', () => {
    const output = recordedOutput({ mode: 'json' });
    reportError(output, usageError('no VM is named', 'name one'));
    expect(JSON.parse(output.err())).toMatchObject({
      schemaVersion: 1,
      type: 'exit_error',
      exitCode: 2,
      code: 'CLI_USAGE',
      message: 'no VM is named',
      hint: 'name one',
    });
    expect(output.out()).toBe('');
  });

  test('prints no secret that an error carries, in words, documents or stacks', () => {
    for (const options of [{}, { mode: 'json' as const }, { verbosity: 2 }]) {
      const output = recordedOutput(options);
      const error = new AnyError({
        code: 'ONE_UNREACHABLE',
        message: 'reach http://oneadmin:opensesame@front:2633/RPC2: refused',
        details: { session: new Secret('oneadmin:opensesame') },
        cause: new Error('connect http://oneadmin:opensesame@front:2633/RPC2'),
      });
      reportError(output, error);
      expect(output.err()).toContain('[redacted]');
      expect(output.err()).not.toContain('opensesame');
    }
  });

  test('a message cannot steer the terminal', () => {
    const output = recordedOutput();
    reportError(output, new AnyError({ code: 'ONE_ACTION', message: 'VM \u001b[2J\nerror: forged' }));
    expect(output.err().split('\n')[0]).toBe('error: VM ?[2J?error: forged');
  });
});
