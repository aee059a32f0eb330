import { type CallOptions, errorCode } from '@onevault/base';
import { isDone, type OneApi, type Template, type TemplateId, type Vm, type VmId, vmStateName } from '@onevault/one-client';
import { JobError } from '../errors.ts';
import { RUN_MARK } from '../names.ts';
import type { CloudDeps } from './cloud-deps.ts';
import { objectChanged, unlessGone } from './gone.ts';
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
  // A fresh VM comes to rest in POWEROFF only when its guest went off right after it had started.
  if (state.endsWith('_FAILURE') || state === 'DONE' || state === 'POWEROFF') throw notStarted(vm, undefined);
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

/** The instance must have the disks that were made for it: OpenNebula starts a VM from a template that somebody changed in between just as well. */
export function assertHasImages(vm: Vm, images: readonly number[]): void {
  const missing = images.filter((image) => !vm.disks.some((disk) => disk.imageId === image));
  if (missing.length === 0) return;
  throw new JobError({
    code: 'JOB_EFFECT_MISSING',
    message: `VM ${vm.id} '${vm.name}' was started without the restored image ${missing.join(', ')}`,
    details: { vmId: vm.id, images: missing },
    hint: 'restore again; something changed the template between its creation and its instantiation',
  });
}

/** The VM that the run made, unless it is DONE: by id, or by name among those that carry the run's mark, since names of VMs are not unique. */
export async function findOwnVm(cloud: OneApi, runId: string, name: string, id: VmId | undefined, options: CallOptions = {}): Promise<Vm | undefined> {
  if (id !== undefined) {
    const vm = await unlessGone(cloud.vm(id, options));
    if (vm === undefined || isDone(vm)) return undefined;
    if (!isOwn(vm, runId)) throw objectChanged(`VM ${id}, made as '${name}', does not carry the mark ${RUN_MARK} any more`, { vmId: id });
    return vm;
  }
  for await (const summary of cloud.vms(options)) {
    if (summary.name !== name) continue;
    const vm = await unlessGone(cloud.vm(summary.id, options)); // listings leave USER_TEMPLATE out
    if (vm !== undefined && isOwn(vm, runId) && !isDone(vm)) return vm;
  }
  return undefined;
}

function isOwn(vm: Vm, runId: string): boolean {
  return vm.userTemplate[RUN_MARK] === runId;
}

/** Removes the VM that the run made; answers whether there was one. Its images stay. */
export async function removeVm(deps: CloudDeps, runId: string, name: string, id: VmId | undefined): Promise<boolean> {
  const vm = await findOwnVm(deps.cloud, runId, name, id);
  if (vm === undefined) return false;
  // A VM that is being placed or started (PROLOG, BOOT) cannot be terminated yet; one that is being terminated already is DONE when it is free.
  await whenFree(deps, vm.id, `removal of VM ${name}`, () => deps.cloud.vmAction(vm.id, 'terminate-hard')).catch((error: unknown) => {
    if (errorCode(error) !== 'JOB_VM_GONE') throw error;
  });
  await deps.cloud.waitForVm(vm.id, (seen) => (isDone(seen) ? 'done' : 'wait'), { timeoutMs: deps.patience.actionMs, what: `VM ${vm.id} to be terminated` });
  return true;
}

/** The template that the run made; its name carries the run's id. */
export async function findOwnTemplate(cloud: OneApi, name: string, id: TemplateId | undefined, options: CallOptions = {}): Promise<Template | undefined> {
  if (id !== undefined) {
    const template = await unlessGone(cloud.template(id, options));
    if (template !== undefined && template.name !== name)
      throw objectChanged(`template ${id}, made as '${name}', is called '${template.name}' now`, { templateId: id });
    return template;
  }
  for await (const template of cloud.templates(options)) if (template.name === name) return template;
  return undefined;
}

/** Removes the template that the run made, never the images it names; answers whether there was one. */
export async function removeTemplate(deps: CloudDeps, name: string, id: TemplateId | undefined): Promise<boolean> {
  const template = await findOwnTemplate(deps.cloud, name, id);
  if (template === undefined) return false;
  await unlessGone(deps.cloud.deleteTemplate(template.id));
  if ((await unlessGone(deps.cloud.template(template.id))) === undefined) return true;
  throw new JobError({
    code: 'JOB_EFFECT_MISSING',
    message: `deletion of template ${template.id} '${name}' was accepted but it is still there`,
    details: { templateId: template.id },
  });
}
