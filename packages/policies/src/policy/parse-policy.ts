import { sayMissing } from '@onevault/base';
import { z } from 'zod';
import { PolicyError } from '../errors.ts';
import { backupPolicySchema, type Policy, snapshotPolicySchema } from './policy-schema.ts';

/** Reads one policy as YAML or JSON gave it; `source` is for the message. Throws POLICY_INVALID with every fault and where it is. */
export function parsePolicy(value: unknown, source = 'the policy'): Policy {
  const kind = typeof value === 'object' && value !== null && 'kind' in value ? value.kind : undefined;
  if (kind !== 'backup' && kind !== 'snapshot') {
    const hint = "begin with 'kind: backup' or 'kind: snapshot'";
    throw new PolicyError({ code: 'POLICY_INVALID', message: `${source} does not say what kind of policy it is`, details: { source }, hint });
  }
  const schema = kind === 'backup' ? backupPolicySchema : snapshotPolicySchema;
  const parsed = schema.safeParse(value, { error: sayMissing });
  if (parsed.success) return parsed.data;
  throw new PolicyError({
    code: 'POLICY_INVALID',
    message: `${source} is not valid: ${z.prettifyError(parsed.error)}`,
    details: { source, issues: parsed.error.issues.map(({ path, message }) => ({ path: path.join('.'), message })) },
    cause: parsed.error,
  });
}
