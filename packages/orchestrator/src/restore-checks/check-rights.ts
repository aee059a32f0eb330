import { isCloudAdmin, mayCreate, mayDo } from '@onevault/one-client';
import { concern, fine, type RestoreFinding } from './restore-finding.ts';
import type { RestoreScene } from './restore-scene.ts';

const CREATES = [
  ['IMAGE', 'every disk becomes an image'],
  ['TEMPLATE', 'the VM is made from a temporary template'],
] as const;

/** Whether the user we act as may make what the restore makes, and use the datastores it makes it in. */
export function checkRights({ surroundings: { caller, datastores }, plan }: RestoreScene): RestoreFinding[] {
  if (caller === undefined) return [concern('unknown', 'RIGHTS_UNKNOWN', 'rights', 'OpenNebula does not say who we are', 'check ONE_AUTH')];
  const what = `user ${caller.user.name}`;
  if (isCloudAdmin(caller.user)) return [fine('RIGHTS', what, 'is a cloud administrator')];
  const findings: RestoreFinding[] = [];
  for (const [kind, why] of CREATES) {
    const { may } = mayCreate(caller.user, kind, caller.rules);
    const remedy = `as oneadmin: oneacl create "#${caller.user.id} ${kind}/* CREATE *"`;
    if (may === 'no') findings.push(concern('error', `RIGHTS_CREATE_${kind}`, what, `may not create ${kind} objects, and ${why}`, remedy));
    if (may === 'unknown')
      findings.push(
        concern('unknown', `RIGHTS_CREATE_${kind}`, what, `may not read the access rules; whether it may create ${kind} objects shows when it does`, remedy),
      );
  }
  for (const id of new Set(plan.images.map(({ spec }) => spec.datastore))) {
    const datastore = datastores?.find((entry) => entry.id === id);
    if (datastore === undefined || mayDo(caller.user, 'use', { kind: 'DATASTORE', ...datastore }, caller.rules).may !== 'no') continue;
    findings.push(
      concern(
        'error',
        'RIGHTS_DATASTORE',
        `datastore ${id} ${datastore.name}`,
        'we may not use it',
        `onedatastore chmod ${id} 644, an access rule, or another datastore`,
      ),
    );
  }
  return findings.length > 0 ? findings : [fine('RIGHTS', what, 'may create images and the template')];
}
