/**
 * An OpenNebula simulator: oned's XML-RPC over HTTP with real files behind images and disks, its asynchronous state machines, error texts and
 * driver faults, and a proxy VM whose devices appear under a directory. For the demo, the tests and for learning; never for data that matters.
 * @packageDocumentation
 */

export type { CreatedVm, Leftover, Population, SimControl, SimState, UserSpec, VmSpec } from './control/control.ts';
export { connectControl } from './control/control-client.ts';
export type { FaultRule } from './control/fault-rules.ts';
export { type RandomWrites, randomWrites } from './disk/random-writes.ts';
export { SimError, type SimErrorCode } from './errors.ts';
export type { GuestLifeSpec } from './lifecycle/guest-life.ts';
export type { Monitored } from './lifecycle/monitor.ts';
export { DEFAULT_TIMES, type OperationTimes, type TimedStep } from './lifecycle/pace.ts';
export type { GuestPause, VmHistory } from './model/vm-history.ts';
export type { DeviceUse } from './proxy/device-users.ts';
export { SEED_USERS } from './seed.ts';
export { type Simulator, type SimulatorOptions, seedDemoWorld, startSimulator } from './simulator.ts';
export { type ConnectionRules, ONED_CONNECTION_RULES } from './wire/http-server.ts';
