import { type Attribute, type Vm, vmStateName } from '@onevault/one-client';
import type { SignOfLife } from './drill-model.ts';

/** Signs that the body of the VM shows. */
export type VmSign = Extract<SignOfLife, { readonly kind: 'running' | 'guest-agent' | 'onegate-ready' }>;

export interface SignLook {
  readonly verdict: 'seen' | 'not-yet' | 'never';
  readonly evidence: string;
}

const AGENT_DISABLED = /monitoring disabled/i;

/** What hosts write when they do not ask guest agents at all: `:enabled: false` of guestagent.conf, as it is shipped (im_mad/remotes/lib/kvm.rb, ga_stats). */
export function agentsAreNotAsked(vm: Vm): boolean {
  return AGENT_DISABLED.test(text(vm.monitoring['VM_QEMU_PING']) ?? '');
}

/**
 * Looks for one sign in a body that was read `runningMs` after the VM was first seen RUNNING, without a break since. VM_QEMU_PING is what guest-ping returned,
 * `{}`, or the error text of virsh; it is as old as the host's last probe (MONITOR_VM of monitord.conf, 30 s or more).
 */
export function lookFor(sign: VmSign, vm: Vm, runningMs: number | undefined): SignLook {
  switch (sign.kind) {
    case 'running': {
      const seconds = Math.floor((runningMs ?? 0) / 1000);
      return look(runningMs !== undefined && runningMs >= sign.seconds * 1000, `${vmStateName(vm)} for ${seconds} s`);
    }
    case 'onegate-ready': {
      const ready = text(vm.userTemplate['READY']);
      return look(ready?.toUpperCase() === 'YES', ready === undefined ? 'no READY in the VM' : `READY=${ready}`);
    }
    case 'guest-agent': {
      const ping = text(vm.monitoring['VM_QEMU_PING']);
      if (ping === undefined) return look(false, 'not measured yet');
      if (AGENT_DISABLED.test(ping)) return { verdict: 'never', evidence: ping };
      return look(/^\{\s*\}$/.test(ping), `VM_QEMU_PING=${ping}`);
    }
  }
}

function look(seen: boolean, evidence: string): SignLook {
  return { verdict: seen ? 'seen' : 'not-yet', evidence };
}

function text(attribute: Attribute | undefined): string | undefined {
  return typeof attribute === 'string' ? attribute : undefined;
}
