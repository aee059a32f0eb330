import { text } from '../attributes.ts';
import type { AttributeRule, Subject } from './attribute-rule.ts';
import { savedContextFiles } from './context-files.ts';
import { renumberedDiskIds } from './renumber.ts';
import { each, isYes } from './rules.ts';

const INSERT = 'src/vm/VirtualMachine.cc, insert';
const PARSER = 'src/vm/VirtualMachineParser.cc';
const CONTEXT = 'src/vm/VirtualMachineContext.cc, parse_context';

const CAPACITY: readonly AttributeRule[] = [
  ...each('', 'CPU VCPU MEMORY CPU_COST MEMORY_COST DISK_COST MEMORY_MAX MEMORY_SLOTS MEMORY_RESIZE_MODE VCPU_MAX EMULATOR', {
    action: 'keep',
    code: 'CAPACITY',
    why: 'the capacity and its cost',
    source: INSERT,
  }),
  ...each('', 'CPU_MODEL/* FEATURES/* VIDEO/* INPUT/* RAW/* HYPERV_OPTIONS/* SPICE_OPTIONS/* IOMMU/* MEMORY_ENCRYPTION/* NIC_DEFAULT/*', {
    action: 'keep',
    code: 'MACHINE',
    why: 'the machine the guest was made for',
    source: PARSER,
  }),
];

const BOOKKEEPING: readonly AttributeRule[] = [
  ...each('', 'AUTOMATIC_REQUIREMENTS AUTOMATIC_DS_REQUIREMENTS AUTOMATIC_NIC_REQUIREMENTS', {
    action: 'regenerate',
    code: 'REQUIREMENTS',
    why: 'it follows from the images and networks of the VM',
    source: 'src/vm/VirtualMachine.cc, automatic_requirements',
  }),
  ...each('', 'VMID TEMPLATE_ID TM_MAD_SYSTEM', { action: 'regenerate', code: 'IDENTITY', why: 'each VM has its own', source: INSERT }),
  ...each('', 'SECURITY_GROUP_RULE SECURITY_GROUP_RULE/*', {
    action: 'regenerate',
    code: 'SECURITY_GROUP_RULES',
    why: 'it is copied from the security groups of the cards',
    source: 'src/secgroup/SecurityGroupPool.cc, get_security_group_rules',
  }),
  ...each('', 'CLONING_TEMPLATE_ID SUBMIT_ON_HOLD IMPORTED DEPLOY_ID', {
    action: 'strip',
    code: 'OLD_LIFE',
    why: 'it speaks of how the saved VM came to be',
    source: INSERT,
  }),
  {
    path: 'SNAPSHOT',
    action: 'strip',
    code: 'SYSTEM_SNAPSHOT',
    why: 'a system snapshot is in the memory and disks of the old VM',
    source: 'src/vm/VirtualMachineSystemSnapshot.cc',
  },
  ...each('', 'VROUTER_ID VROUTER_KEEPALIVED_ID VROUTER_KEEPALIVED_PASSWORD', {
    action: 'strip',
    code: 'VIRTUAL_ROUTER',
    why: 'the new VM is no part of the virtual router, which knows its own VMs',
    source: `${PARSER}, parse_vrouter`,
  }),
  {
    path: 'NAME',
    action: 'replace',
    code: 'NAME_NEW',
    why: 'the name that was asked for',
    source: INSERT,
  },
  ...each('', 'SCHED_ACTION USER_TEMPLATE/SCHED_ACTION', {
    action: 'ask',
    code: 'SCHED_ACTIONS_DROPPED',
    why: 'a copy must not be switched off or deleted because its original was to be (sched-actions=keep carries it over)',
    source: 'src/rm/api/TemplateAPI.cc, instantiate',
    when: 'unless sched-actions=keep',
    applies: ({ plan }) => plan.answers['sched-actions'] === 'drop',
  }),
  ...each('SCHED_ACTION', 'ID PARENT_ID TYPE DONE MESSAGE WARNING', {
    action: 'regenerate',
    code: 'SCHED_ACTION',
    why: 'the action starts anew',
    source: 'src/schedule/ScheduledAction.cc, parse',
  }),
  { path: 'SCHED_ACTION/*', action: 'keep', code: 'SCHED_ACTION', why: 'what is to be done, and when', source: 'src/schedule/ScheduledAction.cc, parse' },
];

const GROUPS: readonly AttributeRule[] = [
  {
    path: 'VMGROUP',
    action: 'strip',
    code: 'VM_GROUP_GONE',
    why: 'the VM group does not exist any more, or we may not use it; OpenNebula refuses a VM of such a group',
    source: 'src/vm_group/VMGroupPool.cc, vmgroup_attribute',
    when: 'the group is gone',
    applies: ({ vector, plan }) => plan.facts.goneVmGroups.has(text(vector['VMGROUP_ID']) ?? ''),
  },
  { path: 'VMGROUP/*', action: 'keep', code: 'VM_GROUP', why: 'the role the VM has in its group', source: 'src/vm_group/VMGroupPool.cc, vmgroup_attribute' },
];

const hasNetworkContext = ({ vector }: Subject): boolean => isYes(text(vector['NETWORK']));

const CONTEXT_RULES: readonly AttributeRule[] = [
  {
    path: 'CONTEXT/DISK_ID',
    action: 'regenerate',
    code: 'CONTEXT_PLACE',
    why: 'the number after the last disk',
    source: 'src/vm/VirtualMachineDisk.cc, get_images',
  },
  {
    path: 'CONTEXT/TARGET',
    action: 'keep',
    code: 'DISK_SAME_DEVICE',
    why: 'the guest finds it where it looks for it',
    source: 'src/vm/VirtualMachineDisk.cc, get_images',
  },
  ...each('CONTEXT', 'ETH#* PCI#*', {
    action: 'regenerate',
    code: 'CONTEXT_NETWORK',
    why: 'it is made of the cards and their new addresses',
    source: 'src/vm/VirtualMachineContext.cc, generate_network_context',
    when: 'NETWORK=YES',
    applies: hasNetworkContext,
  }),
  ...each('CONTEXT', 'VMID ONEGATE_ENDPOINT ONEGATE_TOKEN', {
    action: 'regenerate',
    code: 'CONTEXT_ONEGATE',
    why: 'each VM has its own access to OneGate',
    source: 'src/vm/VirtualMachineContext.cc, generate_token_context',
  }),
  ...each('CONTEXT', 'VROUTER_ID VROUTER_KEEPALIVED_ID VROUTER_KEEPALIVED_PASSWORD', {
    action: 'strip',
    code: 'VIRTUAL_ROUTER',
    why: 'the new VM is no part of the virtual router',
    source: CONTEXT,
  }),
  {
    path: 'CONTEXT/FILES_DS',
    action: 'replace',
    code: 'CONTEXT_FILES',
    why: 'OpenNebula keeps the places of the files and takes their ids; a file that does not exist any more is left out',
    source: CONTEXT,
    value: ({ value, plan }) => savedContextFiles(value, plan.facts.contextFiles) || undefined,
  },
  { path: 'CONTEXT/*', action: 'keep', code: 'CONTEXT', why: 'what the guest is told', source: CONTEXT },
];

/** Of a VM's machine, in TEMPLATE alone: any user may write any name into the USER_TEMPLATE of a VM (one.vm.update). */
const MACHINE_NAMES =
  'DISK NIC NIC_ALIAS NIC_DEFAULT PCI CONTEXT OS RAW CPU VCPU MEMORY CPU_COST MEMORY_COST DISK_COST MEMORY_MAX MEMORY_SLOTS MEMORY_RESIZE_MODE VCPU_MAX EMULATOR CPU_MODEL ' +
  'FEATURES VIDEO INPUT HYPERV_OPTIONS SPICE_OPTIONS IOMMU MEMORY_ENCRYPTION GRAPHICS TOPOLOGY NUMA_NODE TPM VMGROUP SNAPSHOT BACKUP_CONFIG SECURITY_GROUP_RULE VMID TEMPLATE_ID ' +
  'CLONING_TEMPLATE_ID IMPORTED DEPLOY_ID SUBMIT_ON_HOLD VROUTER_ID VROUTER_KEEPALIVED_ID VROUTER_KEEPALIVED_PASSWORD TM_MAD_SYSTEM AUTOMATIC_REQUIREMENTS ' +
  'AUTOMATIC_DS_REQUIREMENTS AUTOMATIC_NIC_REQUIREMENTS';

const USER_TEMPLATE: readonly AttributeRule[] = [
  ...each('USER_TEMPLATE', 'ERROR SCHED_MESSAGE', {
    action: 'strip',
    code: 'OLD_MESSAGE',
    why: 'it speaks of something that befell the old VM',
    source: 'src/vm/VirtualMachine.cc, set_template_error_message',
  }),
  ...each('USER_TEMPLATE', 'READY CREATED_BY', {
    action: 'regenerate',
    code: 'OLD_LIFE',
    why: 'guest and OpenNebula say it of each VM anew',
    source: 'src/onegate/onegate-server.rb; src/vm/VirtualMachineContext.cc',
  }),
  ...each('USER_TEMPLATE', 'SERVICE_ID ROLE_NAME SAVED_TEMPLATE_ID TEMPLATE_NAME', {
    action: 'strip',
    code: 'OLD_LIFE',
    why: 'the new VM is no part of that OneFlow service, and not made from that template',
    source: 'src/flow/lib/models/role.rb',
  }),
  ...each('USER_TEMPLATE', 'ONEVAULT_RUN ONEVAULT_STATE ONEVAULT_NAME ONEVAULT_POINT ONEVAULT_PLAN ONEVAULT_PLAN_VM', {
    action: 'strip',
    code: 'MARKS_OLD',
    why: 'marks of the run that restored the saved VM',
    source: 'onevault',
  }),
  ...each('USER_TEMPLATE', 'ONEVAULT_PROTECTION ONEVAULT_LAST_BACKUP', {
    action: 'strip',
    code: 'MARKS_OLD',
    why: 'the protection of the saved VM, which the new one does not have',
    source: 'onevault',
  }),
  ...each('USER_TEMPLATE', MACHINE_NAMES, {
    action: 'strip',
    code: 'USER_IS_NO_MACHINE',
    why: 'OpenNebula moves it to the machine when a VM is made; what a user wrote there later would be made with the rights of whoever restores',
    source: INSERT,
  }),
  { path: 'USER_TEMPLATE/NAME', action: 'strip', code: 'NAME_NEW', why: 'the VM has another name', source: INSERT },
  {
    path: 'USER_TEMPLATE/SCHED_DS_REQUIREMENTS',
    action: 'replace',
    code: 'DATASTORE_CHOSEN',
    why: 'the system datastore that was asked for',
    source: 'src/scheduler/src/sched/Scheduler.cc',
    when: 'a system datastore was chosen',
    applies: ({ plan }) => plan.systemDatastore !== undefined,
    value: ({ plan }) => `ID="${plan.systemDatastore}"`,
  },
  {
    path: 'USER_TEMPLATE/SCHED_DS_REQUIREMENTS',
    action: 'replace',
    code: 'DATASTORE_CHOSEN',
    why: 'the system datastore that was asked for',
    source: 'src/scheduler/src/sched/Scheduler.cc',
    when: 'a system datastore was chosen, and none was asked for before',
    absent: true,
    applies: ({ plan }) => plan.systemDatastore !== undefined,
    value: ({ plan }) => `ID="${plan.systemDatastore}"`,
  },
  ...each('USER_TEMPLATE', '* */*', { action: 'keep', code: 'USER', why: 'what users wrote: labels, requirements, everything else', source: INSERT }),
];

const BACKUPS: readonly AttributeRule[] = [
  {
    path: 'BACKUPS/BACKUP_CONFIG/DISK_IDS',
    action: 'replace',
    code: 'DISK_RENUMBERED',
    why: 'disks have other numbers now, or are not there',
    source: 'src/vm/Backups.cc, parse',
    when: 'a disk of it is renumbered or missing',
    applies: ({ value, plan }) => renumberedDiskIds(value, plan.diskIds) !== value,
    value: ({ value, plan }) => renumberedDiskIds(value, plan.diskIds) || undefined,
  },
  ...each('BACKUPS/BACKUP_CONFIG', 'KEEP_LAST BACKUP_VOLATILE FS_FREEZE MODE INCREMENT_MODE INTERACTIVE DISK_IDS', {
    action: 'keep',
    code: 'BACKUP_SETTINGS',
    why: "settings of OpenNebula's own backup",
    source: 'src/vm/Backups.cc, parse',
  }),
  {
    path: 'BACKUPS/BACKUP_CONFIG/*',
    action: 'strip',
    code: 'BACKUP_HISTORY',
    why: "the new VM has no backups of OpenNebula's own yet",
    source: 'src/vm/Backups.cc',
  },
];

export const GENERAL_RULES: readonly AttributeRule[] = [...CAPACITY, ...BOOKKEEPING, ...GROUPS, ...CONTEXT_RULES, ...USER_TEMPLATE, ...BACKUPS];
