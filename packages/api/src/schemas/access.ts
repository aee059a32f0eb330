import { z } from 'zod';
import { ROLES } from '../operation.ts';
import { objectName, timestamp } from './wire-values.ts';

const role = z.enum(ROLES);

export const signIn = z
  .object({
    user: z.string().min(1).max(256),
    /** The password or a login token of OpenNebula. */
    password: z.string().min(1).max(1024),
  })
  .meta({ id: 'SignIn' });

export const session = z
  .object({
    user: z.string(),
    userId: z.int(),
    groups: z.array(z.string()),
    role,
    /** Sent back as `X-CSRF-Token` with everything that changes. */
    csrfToken: z.string(),
    expiresAt: timestamp,
    version: z.string(),
  })
  .meta({ id: 'Session' });

export const signInOptions = z
  .object({
    /** With user and password of OpenNebula. */
    password: z.literal(true),
    /** Through an OpenID provider: go to `startPath`. */
    oidc: z.object({ name: z.string(), startPath: z.string() }).optional(),
  })
  .meta({ id: 'SignInOptions' });

export const tokenSpec = z
  .object({
    name: objectName,
    role,
    /** Operations it is for; all that the role may where it is absent. */
    operations: z.array(z.string()).max(100).optional(),
    expiresAt: timestamp,
  })
  .meta({ id: 'TokenSpec' });

export const token = z
  .object({ id: z.string(), ...tokenSpec.shape, owner: z.string(), createdAt: timestamp, lastUsedAt: timestamp.optional() })
  .meta({ id: 'Token' });

/** The only answer that has the secret: it is kept as a hash. */
export const newToken = z.object({ ...token.shape, secret: z.string() }).meta({ id: 'NewToken' });

/** A user of OpenNebula. none: may not sign in. */
export const user = z
  .object({
    name: z.string(),
    role: z.enum(['none', ...ROLES]),
    /** given: by name, in the settings. oneadmin: by being in that group. default: what everybody has. */
    because: z.enum(['given', 'oneadmin', 'default']),
    lastSignInAt: timestamp.optional(),
  })
  .meta({ id: 'User' });
export const roleChange = z.object({ role }).meta({ id: 'RoleChange' });

export const auditRecord = z
  .object({
    seq: z.int(),
    time: timestamp,
    actor: z.object({ kind: z.enum(['user', 'token', 'system', 'anonymous']), name: z.string(), address: z.string().optional() }),
    action: z.string(),
    object: z.string(),
    outcome: z.enum(['ok', 'refused', 'failed']),
    details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])).optional(),
    hash: z.string(),
  })
  .meta({ id: 'AuditRecord' });

export const auditQuery = z.object({
  limit: z.coerce.number().int().min(1).max(500).default(100),
  beforeSeq: z.coerce.number().int().min(1).optional(),
  actor: z.string().max(256).optional(),
  action: z.string().max(128).optional(),
});

export const auditVerdict = z
  .object({
    records: z.int(),
    firstBreak: z.object({ path: z.string(), line: z.int(), kind: z.enum(['unreadable', 'out-of-order', 'cut-off']) }).optional(),
    head: z.object({ seq: z.int(), hash: z.string() }).optional(),
  })
  .meta({ id: 'AuditVerdict' });
