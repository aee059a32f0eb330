import { type CallOptions, errorCode } from '@onevault/base';
import { type TemplateId, type Vm, type VmId, vmStateName } from '@onevault/one-client';
import { JobError } from '../errors.ts';
import { RUN_MARK } from '../names.ts';
import type { CloudDeps } from './cloud-deps.ts';
import { whenFree } from './when-free.ts';

/** Waits for a fresh VM to run (or, with `hold`, to be in HOLD). A VM that cannot be placed stays PENDING for ever: the scheduler's own message says why (M.2). */
export async function awaitStarted(deps: CloudDeps, id: VmId, options: CallOptions & { readonly hold: boolean }): Promise<Vm> {
  let last: Vm | undefined;
  try {
    return await deps.cloud.waitForVm(
      id,
      (vm) => {
        last = vm;
        return startVerdict(vm, options.hold);
      },
      { timeoutMs: deps.patience.startMs, what: `VM ${id} to be ${options.hold ? 'in HOLD' : 'RUNNING'}`, ...(options.signal && { signal: options.signal }) },
    );
  } catch (error) {
    if (errorCode(error) !== 'ONE_WAIT_TIMEOUT' || last === undefined) throw error;
    throw notStarted(last, error);
  }
}

function startVerdict(vm: Vm, hold: boolean): 'wait' | 'done' {
  const state = vmStateName(vm);
  if (state === 'RUNNING' || (hold && state === 'HOLD')) return 'done';
  if (state.endsWith('_FAILURE') || state === 'DONE') throw notStarted(vm, undefined);
  return 'wait';
}

function notStarted(vm: Vm, cause: unknown): JobError {
  const why = vm.schedMessage ?? vm.error;
  return new JobError({
    code: 'JOB_VM_NOT_STARTED',
    message: `start of VM ${vm.id} '${vm.name}' ended in ${vmStateName(vm)}${why === undefined ? '' : `: ${why}`}`,
    details: { vmId: vm.id, state: vmStateName(vm), ...(why !== undefined && { oneError: why }) },
    hint: 'choose a datastore (--system-datastore, --image-datastore) and a cluster with room, or restore with --hold',
    ...(cause !== undefined && { cause }),
  });
}

/** Removes the VM called `name` that the run made: names of VMs are not unique, so it must carry the run's mark. */
export async function removeVm(deps: CloudDeps, runId: string, name: string, id: VmId | undefined): Promise<void> {
  const vm = id === undefined ? await findOwnVm(deps, runId, name) : await deps.cloud.vm(id);
  if (vm === undefined || !isOwn(vm, runId) || vmStateName(vm) === 'DONE') return;
  // A VM that is being placed or started (PROLOG, BOOT) cannot be terminated yet.
  await whenFree(deps, vm.id, `removal of VM ${name}`, () => deps.cloud.vmAction(vm.id, 'terminate-hard'));
  await deps.cloud.waitForVm(vm.id, (seen) => (vmStateName(seen) === 'DONE' ? 'done' : 'wait'), {
    timeoutMs: deps.patience.actionMs,
    what: `VM ${vm.id} to be terminated`,
  });
}

async function findOwnVm(deps: CloudDeps, runId: string, name: string): Promise<Vm | undefined> {
  for await (const summary of deps.cloud.vms()) {
    if (summary.name !== name) continue;
    const vm = await deps.cloud.vm(summary.id); // listings leave USER_TEMPLATE out
    if (isOwn(vm, runId)) return vm;
  }
  return undefined;
}

function isOwn(vm: Vm, runId: string): boolean {
  return vm.userTemplate[RUN_MARK] === runId;
}

/** Removes the template called `name`, which carries the run's id; never the images it names. */
export async function removeTemplate(deps: CloudDeps, name: string, id: TemplateId | undefined): Promise<void> {
  const template = id ?? (await findTemplateByName(deps, name));
  if (template === undefined) return;
  try {
    await deps.cloud.deleteTemplate(template);
  } catch (error) {
    if (errorCode(error) !== 'ONE_NO_EXISTS') throw error;
  }
}

async function findTemplateByName(deps: CloudDeps, name: string): Promise<TemplateId | undefined> {
  for await (const template of deps.cloud.templates()) if (template.name === name) return template.id;
  return undefined;
}
