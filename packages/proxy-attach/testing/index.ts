/**
 * A proxy VM in memory with scriptable faults, a writer of /sys/block trees, and the contract that every DiskAttacher must pass.
 * @packageDocumentation
 */
export { type AttacherContractCase, type AttacherSubject, attacherContract } from './attacher-contract.ts';
export { type AttachFault, type DetachFault, FakeProxy, type FakeProxyOptions, type GuestFault } from './fake-proxy.ts';
export { noAnswer, OneAnswer, refusal } from './one-answer.ts';
export { type SysfsTreeDisk, unitSerialPage, writeSysfsTree } from './sysfs-tree.ts';
