/**
 * What both programs of onevault open: settings, secrets, stores, the cloud, the proxy VM, locks. Only composition roots import it.
 * @packageDocumentation
 */
export { parseBytes } from './byte-size.ts';
export { type Composition, compose, type OpenCloudOptions } from './compose.ts';
export { type DoctorFacts, doctorFacts } from './doctor-facts.ts';
export { commandProbes } from './drill/command-probes.ts';
export { type ConsoleAddress, tcpConsoles } from './drill/tcp-consoles.ts';
export { CompositionError, type CompositionErrorCode } from './errors.ts';
export { keepLeased, type LeaseKeeperDeps } from './exports/keep-leased.ts';
export { type ExportOptions, type OpenExports, openExports } from './exports/open-exports.ts';
export { type ServedDisk, servedDisks } from './exports/served-disk.ts';
export { openPointFiles, type PointFiles, type PointFilesDeps, type PointFilesRequest } from './files/open-point-files.ts';
export { diskFacts, pointVm, type SkippedDisk, skippedDisks } from './point/point-facts.ts';
export { diskName, diskText, selectDisk, selectDisks } from './point/select-disk.ts';
export { findProxyVm, ownVmOf } from './proxy-vm.ts';
export type { AskSecret } from './secret/ask-secret.ts';
export { readSecret, textSecret } from './secret/read-secret.ts';
export { resolveSecret, type SecretFlags, type SecretSource } from './secret/secret-source.ts';
export { type Place, type PlaceFlags, parseId, resolveSettings, type Settings } from './settings.ts';
export { refuseStateOfOthers } from './state-of-others.ts';
export { type StoreTraffic, type TrafficFlags, UNLIMITED } from './store/traffic.ts';
export { lockVm, type VmLockDeps } from './vm-lock.ts';
