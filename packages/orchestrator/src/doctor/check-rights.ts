import { isCloudAdmin, mayCreate, type ResourceKind } from '@onevault/one-client';
import type { Surroundings } from '../plan/surroundings.ts';
import { type Checked, type Finding, ok, trouble } from './finding.ts';

/** What the user may make. What it may do with single VMs, images and datastores is said where these are looked at. */
export async function* checkRights({ caller }: Surroundings): Checked {
  if (caller === undefined) {
    yield trouble(
      'rights',
      'unknown',
      'RIGHTS_UNKNOWN',
      'the user',
      'OpenNebula does not say who we are',
      'check ONE_AUTH; onevault vm list shows what it may see',
    );
    return;
  }
  const subject = `user ${caller.user.id} ${caller.user.name}`;
  if (isCloudAdmin(caller.user)) {
    yield ok('rights', 'RIGHTS_ADMIN', subject, 'belongs to the group oneadmin and may do everything');
    return;
  }
  for (const [kind, why] of CREATES) yield createFinding(subject, kind, why, mayCreate(caller.user, kind, caller.rules).may);
}

const CREATES: readonly (readonly [ResourceKind, string])[] = [
  ['IMAGE', 'every backup makes temporary images'],
  ['TEMPLATE', 'a restore makes a temporary template'],
];

function createFinding(subject: string, kind: ResourceKind, why: string, may: 'yes' | 'no' | 'unknown'): Finding {
  const remedy = `as oneadmin: oneacl create "#<uid> ${kind}/* CREATE *" for it, or put it into the group oneadmin`;
  if (may === 'yes') return ok('rights', `RIGHTS_CREATE_${kind}`, subject, `may create ${kind} objects`);
  if (may === 'no') return trouble('rights', 'problem', `RIGHTS_CREATE_${kind}`, subject, `may not create ${kind} objects, but ${why}`, remedy);
  return trouble(
    'rights',
    'unknown',
    `RIGHTS_CREATE_${kind}`,
    subject,
    `whether it may create ${kind} objects cannot be seen: it may not read the access rules`,
    remedy,
  );
}
