import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NO_TIME, startTestSimulator, type TestSimulator } from '../testing/index.ts';

const GPU = { shortAddress: '01:00.0', vendor: '10de', device: '1db6', class: '0302' };
const base = 'CPU="2"\nVCPU="2"\nMEMORY="256"\n';

/** What oned does to cards, PCI devices and NUMA nodes (VirtualMachineParser.cc, VirtualMachineNic.cc, HostSharePCI.cc). */
describe('cards and devices of a VM', () => {
  let lab: TestSimulator;
  beforeEach(async () => {
    lab = await startTestSimulator({ times: NO_TIME, durable: false });
  });
  afterEach(() => lab[Symbol.asyncDispose]());

  async function made(template: string, hold = false): Promise<string> {
    const id = await lab.must('one.template.allocate', `NAME="t${Math.floor(performance.now() * 1000)}"\n${template}`);
    const vm = await lab.must('one.template.instantiate', Number(id), '', hold, '', false);
    await lab.sim.control.idle();
    return String(await lab.must('one.vm.info', Number(vm), false));
  }

  it('numbers NICs before aliases, and an alias names its parent', async () => {
    const body = await made(`${base}NIC=[NETWORK="lan",NAME="NIC9"]\nNIC=[NETWORK="lan"]\nNIC_ALIAS=[NETWORK="lan",PARENT="NIC1"]\nCONTEXT=[NETWORK="YES"]\n`);
    expect(body).toContain('<NAME><![CDATA[_NIC9]]></NAME>');
    expect(body).toMatch(/<NIC_ALIAS>.*<NIC_ID><!\[CDATA\[2\]\]><\/NIC_ID>.*<PARENT_ID><!\[CDATA\[1\]\]><\/PARENT_ID>.*<\/NIC_ALIAS>/s);
    expect(body).toContain('<ALIAS_IDS><![CDATA[2]]></ALIAS_IDS>');
    expect(body).toMatch(/<ETH1_ALIAS0_IP><!\[CDATA\[192\.168/);
    await expect(made(`${base}NIC=[NETWORK="lan"]\nNIC_ALIAS=[NETWORK="lan",PARENT="NIC4"]\n`)).rejects.toThrow('NIC named NIC4 not found for alias');
  });

  it('gives a PCI device to one VM at a time, and takes kind or address, not both', async () => {
    await lab.sim.control.setHostCapacity(0, { pciDevices: [GPU] });
    const body = await made(`${base}PCI=[VENDOR="10de",CLASS="0302"]\n`);
    expect(body).toContain('<SHORT_ADDRESS><![CDATA[01:00.0]]></SHORT_ADDRESS>');
    expect(String(await lab.must('one.host.info', 0, false))).toMatch(/<PCI>.*<VMID><!\[CDATA\[1\]\]><\/VMID>/);
    expect(await made(`${base}PCI=[VENDOR="10de"]\n`)).toContain('<SCHED_MESSAGE>');
    await expect(made(`${base}PCI=[VENDOR="10de",SHORT_ADDRESS="01:00.0"]\n`)).rejects.toThrow('SHORT_ADDRESS cannot be set');
    await expect(made(`${base}PCI=[TYPE="x"]\n`)).rejects.toThrow('must be defined for PCI');
  });

  it('takes the memory of NUMA nodes in MiB and keeps it in KiB; a pinned VM goes to a host that pins', async () => {
    const pinned = `${base}TOPOLOGY=[PIN_POLICY="CORE",SOCKETS="2"]\n`;
    expect(await made(pinned)).toContain('<SCHED_MESSAGE>');
    await lab.sim.control.setHostCapacity(2, { pinned: true });
    const body = await made(pinned);
    expect(body.match(/<MEMORY><!\[CDATA\[131072\]\]><\/MEMORY>/g)).toHaveLength(2);
    expect(body).toContain('<NODE_ID><![CDATA[0]]></NODE_ID>');
    await expect(made(`${pinned}NUMA_NODE=[TOTAL_CPUS="2",MEMORY="262144"]\n`)).rejects.toThrow('Total MEMORY of NUMA nodes is different from VM MEMORY');
    expect(await made(`${pinned}NUMA_NODE=[TOTAL_CPUS="2",MEMORY="256"]\n`)).toContain('<MEMORY><![CDATA[262144]]></MEMORY>');
    await expect(made(`${base}TOPOLOGY=[SOCKETS="1"]\n`)).rejects.toThrow('Non-pinned VMs');
  });

  it('refuses a VM of a VM group that is not there', async () => {
    await expect(made(`${base}VMGROUP=[VMGROUP_ID="3",ROLE="db"]\n`)).rejects.toThrow('Cannot find VM Group');
  });
});
