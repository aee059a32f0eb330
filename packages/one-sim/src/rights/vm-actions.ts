import type { World } from '../model/world.ts';
import { textOf } from '../template/attributes.ts';
import type { OperationName } from './acl-rule.ts';
import type { Subject } from './authorization.ts';

type VmRight = Exclude<OperationName, 'CREATE'>;

/** VM_*_OPERATIONS of a stock oned.conf. What stands in none of them needs MANAGE. */
export const STOCK_OPERATIONS: Readonly<Record<VmRight, string>> = {
  ADMIN: 'migrate, delete, recover, retry, deploy, resched, backup, restore',
  MANAGE:
    'undeploy, hold, release, stop, suspend, resume, reboot, poweroff, disk-attach, nic-attach, disk-snapshot, terminate, disk-resize, snapshot, updateconf, rename, resize, update, disk-saveas, sched-action, sg-attach, pci-attach',
  USE: '',
};

/** The right a VM action needs: the user's template decides, then the group's, then oned.conf (RequestAttributes::set_auth_op, src/rm/Request.cc). */
export function vmActionRight(world: World, subject: Subject, action: string): VmRight {
  const templates = [subject.user.template, world.groups.get(subject.gid)?.template ?? {}];
  for (const template of templates) {
    const own = rightIn((name) => textOf(template, name) ?? '', action);
    if (own !== undefined) return own;
  }
  return rightIn((name) => STOCK_OPERATIONS[name === 'VM_ADMIN_OPERATIONS' ? 'ADMIN' : name === 'VM_USE_OPERATIONS' ? 'USE' : 'MANAGE'], action) ?? 'MANAGE';
}

/** ADMIN is looked at first, then MANAGE, then USE (VMActions::get_auth_op). */
function rightIn(listOf: (name: string) => string, action: string): VmRight | undefined {
  const rights: readonly VmRight[] = ['ADMIN', 'MANAGE', 'USE'];
  return rights.find((right) => namesOf(listOf(`VM_${right}_OPERATIONS`)).includes(groupOfAction(action)));
}

const namesOf = (list: string): string[] => list.split(',').map((name) => name.trim().toLowerCase());

/** `poweroff-hard` goes with `poweroff` (VMActions::set_auth_ops). */
function groupOfAction(action: string): string {
  return action === 'unresched' ? 'resched' : action.replace(/-hard$/, '');
}
