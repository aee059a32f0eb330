/**
 * A typed client of OpenNebula's XML-RPC API (6.10 to 7.4), as far as backup and restore need it: calls as OpenNebula offers them, bodies as
 * typed objects, every failure a OneError with a stable code, and waiting for effects. Nothing here knows what a backup is.
 * @packageDocumentation
 */
export type { AclRule, ResourceKind } from './acl.ts';
export type { Named, NewOwner, OneApi, RawKind, Verdict, VmAction, WaitOptions } from './api.ts';
export type { Unreadable } from './caller.ts';
export { createOneClient, type OneClientOptions } from './client.ts';
export { type Connection, type Environment, type FindOptions, findConnection } from './credentials.ts';
export { isOneError, OneError, type OneErrorCode, type OneErrorDetails } from './errors.ts';
export { type HttpTransportOptions, httpTransport } from './http-transport.ts';
export { type Login, loginOf } from './login.ts';
export {
  type AddressRange,
  type Attribute,
  type Attributes,
  type Datastore,
  type DatastoreId,
  type Disk,
  type DiskId,
  type DiskSnapshots,
  datastoreId,
  diskId,
  type Grant,
  type Group,
  type HistoryRecord,
  type Host,
  type HostId,
  type HostPciDevice,
  hostId,
  type Image,
  type ImageId,
  imageId,
  type Lease,
  type Lock,
  type Network,
  type Owned,
  type Permissions,
  type Quotas,
  type Snapshot,
  type SnapshotId,
  snapshotId,
  type Template,
  type TemplateId,
  templateId,
  type User,
  type Vm,
  type VmId,
  type VmSummary,
  vmId,
} from './model.ts';
export { parseImage } from './parse-image.ts';
export { parseNetwork } from './parse-network.ts';
export { parseVm } from './parse-vm.ts';
export { datastoreQuota, imageQuota, networkQuota, type Quota, quotaLeft, type VmQuota, vmQuota } from './quotas.ts';
export { type Guarded, isCloudAdmin, mayCreate, mayDo, type Right, type RightsVerdict } from './rights.ts';
export {
  DATASTORE_TYPE,
  datastoreStateName,
  datastoreStateShortName,
  HOST_STATE,
  hostStateName,
  hostStateShortName,
  IMAGE_STATE,
  IMAGE_TYPE,
  imageStateName,
  imageStateShortName,
  isDone,
  isFailed,
  isPending,
  isPoweredOff,
  isRunning,
  isStable,
  isSuspended,
  isTransient,
  LCM_STATE,
  VM_STATE,
  type VmStates,
  vmStateName,
  vmStateShortName,
} from './states.ts';
export { formatTemplate } from './template-text.ts';
export {
  composeTransport,
  type Transport,
  type TransportLayer,
  withConcurrency,
  withRetry,
  withTimeout,
  withTrace,
  type XmlRpcArgument,
  type XmlRpcCall,
  type XmlRpcValue,
} from './transport.ts';
export { imageGone, imageReady, vmPoweredOff, vmRunning, vmSettled, vmTerminated } from './verdicts.ts';
