import { describe, expect, it } from 'vitest';
import { targetEnvironment } from '../src/store/target-environment.ts';

describe('the environment of the target of a copy', () => {
  it('is that of the source when nothing is said of the target', () => {
    const env = { AWS_ACCESS_KEY_ID: 'source', HOME: '/home/x' };
    expect(targetEnvironment(env)).toBe(env);
  });

  it('has the credentials of the target, and no half of those of the source', () => {
    const env = {
      AWS_ACCESS_KEY_ID: 'source',
      AWS_SECRET_ACCESS_KEY: 'secret',
      AWS_SESSION_TOKEN: 'token',
      ONEVAULT_S3_CREDENTIALS_COMMAND: 'ask for the source',
      ONEVAULT_TARGET_AWS_ACCESS_KEY_ID: 'target',
      ONEVAULT_TARGET_AWS_SECRET_ACCESS_KEY: 'other secret',
      HOME: '/home/x',
    };
    const seen = targetEnvironment(env);
    expect(seen).toMatchObject({ AWS_ACCESS_KEY_ID: 'target', AWS_SECRET_ACCESS_KEY: 'other secret', HOME: '/home/x' });
    expect(seen).not.toHaveProperty('AWS_SESSION_TOKEN');
    expect(seen).not.toHaveProperty('ONEVAULT_S3_CREDENTIALS_COMMAND');
  });

  it('takes a command of its own', () => {
    const seen = targetEnvironment({ ONEVAULT_TARGET_S3_CREDENTIALS_COMMAND: 'ask for the target', AWS_PROFILE: 'source' });
    expect(seen['ONEVAULT_S3_CREDENTIALS_COMMAND']).toBe('ask for the target');
    expect(seen).not.toHaveProperty('AWS_PROFILE');
  });
});
