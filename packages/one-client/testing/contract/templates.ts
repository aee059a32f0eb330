import { expect, test } from 'vitest';
import { formatTemplate, isPending, VM_STATE, vmTerminated } from '../../src/index.ts';
import { collect, type Lab, refused } from '../lab.ts';

/** A host that no cloud has. */
const NOWHERE = 'NAME="onevault-no-such-host"';

/** Templates, and VMs made of them. */
export function templateCases(lab: () => Lab, slow: { readonly timeout: number }): void {
  test('a template is kept, instantiated on hold, terminated and deleted', slow, async () => {
    const { api, cloud } = lab();
    const name = lab().name('template');
    const note = 'a "quoted" word, C:\\dir\\';
    const id = await api.allocateTemplate(formatTemplate({ NAME: name, CPU: '0.1', MEMORY: '32', NOTE: note }));
    expect(await api.template(id)).toMatchObject({ id, name, uid: lab().me.id, template: { NOTE: note } });
    expect((await collect(api.templates())).map((one) => one.id)).toContain(id);
    await refused(api.allocateTemplate(formatTemplate({ NAME: name, CPU: '0.1', MEMORY: '32' })), 'ONE_INTERNAL'); // TemplateAllocate::pool_allocate answers INTERNAL

    const vm = await api.instantiateTemplate(id, lab().name('vm'), { hold: true, extra: formatTemplate({ ONEVAULT_EXTRA: 'yes' }) });
    const held = await api.vm(vm);
    expect(held).toMatchObject({ name: lab().name('vm'), state: VM_STATE.HOLD, hostName: undefined, userTemplate: { NOTE: note, ONEVAULT_EXTRA: 'yes' } });
    await api.updateVm(vm, { ONEVAULT_CONTRACT: 'yes' });
    expect((await api.vm(vm)).userTemplate).toMatchObject({ ONEVAULT_CONTRACT: 'yes', NOTE: note });

    const closed = { use: false, manage: false, admin: false };
    const permissions = { owner: { use: true, manage: true, admin: false }, group: { ...closed, use: true }, other: closed };
    await api.chmodVm(vm, permissions);
    await api.chownVm(vm, { groupId: lab().me.gid });
    expect(await api.vm(vm)).toMatchObject({ permissions, uid: lab().me.id, gid: lab().me.gid });
    await refused(api.chownVm(vm, { userId: 2_000_000_000 }), 'ONE_NO_EXISTS');

    await api.vmAction(vm, 'terminate-hard');
    await api.waitForVm(vm, vmTerminated, { timeoutMs: cloud.operationTimeoutMs, what: 'the VM to be DONE' });
    await api.deleteTemplate(id);
    await refused(api.template(id), 'ONE_NO_EXISTS');
  });

  test('a VM that no host can take is accepted, stays PENDING and says why', slow, async () => {
    const { api, cloud } = lab();
    const id = await api.allocateTemplate(formatTemplate({ NAME: lab().name('nowhere'), CPU: '0.1', MEMORY: '32', SCHED_REQUIREMENTS: NOWHERE }));
    const vm = await api.instantiateTemplate(id, lab().name('nowhere'));
    const told = await api.waitForVm(vm, (now) => (now.schedMessage === undefined ? 'wait' : 'done'), {
      timeoutMs: cloud.operationTimeoutMs,
      what: 'the scheduler to say why the VM stays PENDING',
    });
    expect(isPending(told)).toBe(true);
    await api.vmAction(vm, 'terminate-hard');
    await api.waitForVm(vm, vmTerminated, { timeoutMs: cloud.operationTimeoutMs, what: 'the VM to be DONE' });
  });

  test('a VM whose image does not exist is refused', slow, async () => {
    const { api } = lab();
    const disk = { IMAGE_ID: '2000000000' };
    const id = await api.allocateTemplate(formatTemplate({ NAME: lab().name('no-image'), CPU: '0.1', MEMORY: '32', DISK: disk }));
    await refused(api.instantiateTemplate(id, lab().name('no-image')), 'ONE_ALLOCATE', 'ONE_NO_EXISTS');
  });
}
