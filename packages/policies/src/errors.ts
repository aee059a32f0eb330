import { BaseError } from '@onevault/base';

export type PolicyErrorCode = 'POLICY_SCHEDULE_INVALID' | 'POLICY_WINDOW_INVALID' | 'POLICY_SELECTOR_INVALID' | 'POLICY_DURATION_INVALID' | 'POLICY_INVALID';

/** A policy that says something which cannot be meant. Time zones pass through as REPO_TIMEZONE_UNKNOWN, retention rules as REPO_RETENTION_*. */
export class PolicyError extends BaseError<PolicyErrorCode> {}
