import { BaseError } from '@onevault/base';

/**
 * SIM_DIR_UNUSABLE: the state directory cannot be created, read or written. SIM_STATE_DAMAGED: its state.json is not one of ours.
 * SIM_DIR_BUSY: another simulator owns the directory. SIM_PORT_UNAVAILABLE: the port is taken. SIM_CONTROL_REFUSED: a control request names
 * something that does not exist or makes no sense. SIM_CONTROL_UNREACHABLE: no simulator answers there.
 */
export type SimErrorCode =
  | 'SIM_DIR_UNUSABLE'
  | 'SIM_STATE_DAMAGED'
  | 'SIM_DIR_BUSY'
  | 'SIM_PORT_UNAVAILABLE'
  | 'SIM_CONTROL_REFUSED'
  | 'SIM_CONTROL_UNREACHABLE';

export class SimError extends BaseError<SimErrorCode> {}
