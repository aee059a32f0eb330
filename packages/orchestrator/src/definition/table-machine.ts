import { text, vectors } from '../attributes.ts';
import type { AttributeRule, Renewal, Subject } from './attribute-rule.ts';
import { compareVersions } from './compare-versions.ts';
import { renumberedBoot } from './renumber.ts';
import { each, isYes } from './rules.ts';

const PARSER = 'src/vm/VirtualMachineParser.cc';

/** A pinned VM carries the layout it was given; of any other OpenNebula makes the one NUMA_NODE itself. */
function isPinned({ saved }: Renewal): boolean {
  const policy = text(vectors(saved.template['TOPOLOGY'])[0]?.['PIN_POLICY'])?.toUpperCase();
  return policy !== undefined && policy !== 'NONE';
}

const mayPin = ({ facts }: Renewal): boolean => !facts.restricted.has('TOPOLOGY/PIN_POLICY');
const byKind = ({ vector }: Subject): boolean => ['VENDOR', 'DEVICE', 'CLASS'].some((name) => text(vector[name]) !== undefined);
const byAddress = ({ vector }: Subject): boolean => text(vector['SHORT_ADDRESS']) !== undefined;

const OS: readonly AttributeRule[] = [
  {
    path: 'OS/UUID',
    action: 'ask',
    code: 'UUID_KEPT',
    why: 'the guest keeps the UUID it knows, which licences and agents may be bound to (uuid=new makes a new one)',
    source: `${PARSER}, parse_os`,
    when: 'the original VM is gone, or uuid=keep',
    applies: ({ plan }) => plan.answers.uuid === 'keep' || (plan.answers.uuid === 'auto' && !plan.facts.originalLives),
    value: ({ value }) => value,
  },
  {
    path: 'OS/UUID',
    action: 'regenerate',
    code: 'UUID_NEW',
    why: 'two living VMs with one UUID clash in libvirt and for whatever is bound to it (uuid=keep keeps it all the same)',
    source: `${PARSER}, parse_os`,
  },
  {
    path: 'OS/MACHINE',
    action: 'replace',
    code: 'MACHINE_PC',
    why: 'it ran as i440fx, the default before 7.2; the default of today would give it other buses and names of devices',
    source: `${PARSER}, parse_os; vmm_exec_kvm.conf`,
    when: 'none was saved, from before 7.2 to 7.2 or later',
    absent: true,
    applies: ({ plan }) => changesMachine(plan),
    value: () => 'pc',
  },
  {
    path: 'OS/BOOT',
    action: 'replace',
    code: 'BOOT_RENUMBERED',
    why: 'disks and cards have other numbers now, or are not there',
    source: 'src/vm/VirtualMachine.cc, set_boot_order',
    when: 'a device of it is renumbered or missing',
    applies: ({ value, plan }) => renumberedBoot(value, plan) !== value,
    value: ({ value, plan }) => renumberedBoot(value, plan) || undefined,
  },
  ...each('OS', 'KERNEL_DS_* INITRD_DS_*', {
    action: 'regenerate',
    code: 'OS_FILE',
    why: 'OpenNebula finds the file by KERNEL_DS or INITRD_DS, which stay',
    source: `${PARSER}, set_os_file`,
  }),
  {
    path: 'OS/FIRMWARE',
    action: 'ask',
    code: 'NVRAM_FRESH',
    why: "the firmware starts with fresh variables: boot entries that are not on the disk's fallback path must be made again",
    source: 'src/vmm_mad/remotes/kvm/deploy',
    when: 'UEFI',
    applies: ({ value }) => value.toUpperCase() !== 'BIOS',
    value: ({ value }) => value,
  },
  {
    path: 'OS/*',
    action: 'keep',
    code: 'MACHINE',
    why: 'the machine the guest was made for',
    source: `${PARSER}, parse_os`,
  },
];

function changesMachine({ savedVersion, targetVersion }: Renewal): boolean {
  return savedVersion !== undefined && compareVersions(savedVersion, '7.2') < 0 && compareVersions(targetVersion, '7.2') >= 0;
}

const NUMA: readonly AttributeRule[] = [
  {
    path: 'TOPOLOGY',
    action: 'strip',
    code: 'RESTRICTED',
    why: 'only cloud administrators may pin a VM to cores',
    source: 'share/etc/oned.conf, VM_RESTRICTED_ATTR',
    when: 'a pinned VM, and we may not pin',
    applies: ({ plan }) => isPinned(plan) && !mayPin(plan),
  },
  { path: 'TOPOLOGY/*', action: 'keep', code: 'NUMA_TOPOLOGY', why: 'the layout the guest sees', source: `${PARSER}, parse_topology` },
  {
    path: 'NUMA_NODE',
    action: 'regenerate',
    code: 'NUMA_BY_TOPOLOGY',
    why: 'OpenNebula makes it from TOPOLOGY',
    source: `${PARSER}, parse_topology`,
    when: 'a VM that is not pinned, or may not be',
    applies: ({ plan }) => !isPinned(plan) || !mayPin(plan),
  },
  {
    path: 'NUMA_NODE/MEMORY',
    action: 'replace',
    code: 'NUMA_MIB',
    why: 'OpenNebula stores KiB and takes MiB',
    source: `${PARSER}, parse_topology`,
    value: ({ value }) => String(Math.floor(Number(value) / 1024)),
  },
  ...each('NUMA_NODE', 'CPUS MEMORY_NODE_ID NODE_ID', {
    action: 'regenerate',
    code: 'NUMA_PLACED',
    why: 'the scheduler chooses cores and node of the host',
    source: 'src/host/HostShareNUMA.cc, add',
  }),
  { path: 'NUMA_NODE/*', action: 'keep', code: 'NUMA_TOPOLOGY', why: 'the layout the guest sees', source: `${PARSER}, parse_topology` },
];

const PCI_SOURCE = `${PARSER}, check_pci_attributes`;
const PCI: readonly AttributeRule[] = [
  {
    path: 'PCI',
    action: 'ask',
    code: 'PCI_NONE',
    why: 'no device was wanted',
    source: PCI_SOURCE,
    when: 'pci=none',
    applies: ({ plan }) => plan.answers.pci === 'none',
  },
  {
    path: 'PCI/SHORT_ADDRESS',
    action: 'ask',
    code: 'PCI_SAME_KIND',
    why: 'any free device of the same kind will do; pci=same-address asks for this very one. OpenNebula does not tell which it was, and takes one of the two only',
    source: PCI_SOURCE,
    when: 'kind and address are both known, pci=same-kind',
    applies: (subject) => subject.plan.answers.pci === 'same-kind' && byKind(subject),
  },
  ...each('PCI', 'VENDOR DEVICE CLASS', {
    action: 'ask',
    code: 'PCI_SAME_ADDRESS',
    why: 'the device at the same address was wanted, whatever it is',
    source: PCI_SOURCE,
    when: 'kind and address are both known, pci=same-address',
    applies: (subject) => subject.plan.answers.pci === 'same-address' && byAddress(subject),
  }),
  ...each('PCI', 'ADDRESS PREV_ADDRESS BUS DOMAIN SLOT FUNCTION NUMA_NODE UUID MDEV_MODE PCI_ID VM_ADDRESS VM_BUS VM_BUS_INDEX VM_DOMAIN VM_FUNCTION VM_SLOT', {
    action: 'regenerate',
    code: 'PCI_PLACED',
    why: 'the host assigns it',
    source: 'src/host/HostSharePCI.cc, pci_attribute',
  }),
  ...each('PCI', 'VENDOR DEVICE CLASS SHORT_ADDRESS PROFILE TYPE ROOT ACPI_NODES IOMMUFD', {
    action: 'keep',
    code: 'PCI_WANTED',
    why: 'the device that was asked for',
    source: PCI_SOURCE,
  }),
];

const CONSOLE: readonly AttributeRule[] = [
  { path: 'GRAPHICS/PORT', action: 'regenerate', code: 'GRAPHICS_PORT', why: 'each VM has its own', source: 'src/cluster/ClusterPool.cc, get_vnc_port' },
  {
    path: 'GRAPHICS/PASSWD',
    action: 'regenerate',
    code: 'GRAPHICS_PASSWORD',
    why: 'it was made at random, and is again',
    source: `${PARSER}, parse_graphics`,
    when: 'RANDOM_PASSWD=YES',
    applies: ({ vector }) => isYes(text(vector['RANDOM_PASSWD'])),
  },
  { path: 'GRAPHICS/*', action: 'keep', code: 'MACHINE', why: 'the console as it was', source: `${PARSER}, parse_graphics` },
  {
    path: 'TPM/MODEL',
    action: 'ask',
    code: 'TPM_EMPTY',
    why: 'the new TPM is empty: a disk encrypted with keys in the old one asks for its recovery key',
    source: 'src/vmm_mad/remotes/kvm/vtpm_setup',
    value: ({ value }) => value,
  },
  { path: 'TPM/*', action: 'keep', code: 'MACHINE', why: 'the machine the guest was made for', source: `${PARSER}, parse_tpm` },
];

export const MACHINE_RULES: readonly AttributeRule[] = [...OS, ...NUMA, ...PCI, ...CONSOLE];
