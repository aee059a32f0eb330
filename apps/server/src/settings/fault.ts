import { isBaseError } from '@onevault/base';
import type { z } from 'zod';
import { ServerError } from '../errors.ts';
import { sayWhy } from './setting-schemas.ts';

/** Something that is wrong in the settings, and where: `policies/nightly.yaml: schedules.0.at`. */
export interface Fault {
  readonly path: string;
  readonly message: string;
}

export function zodFaults(place: string, error: z.ZodError): Fault[] {
  return error.issues.map(({ path, message }) => ({ path: path.length === 0 ? place : `${place}: ${path.join('.')}`, message }));
}

/** What an error of the policies package says; anything else is thrown. */
export function errorFaults(place: string, error: unknown): Fault[] {
  if (!isBaseError(error)) throw error;
  const { issues } = error.details;
  if (!Array.isArray(issues)) return [{ path: place, message: sayWhy(error) }];
  return issues.map(({ path, message }: { path: string; message: string }) => ({ path: path === '' ? place : `${place}: ${path}`, message }));
}

/** Throws SERVER_SETTINGS_INVALID when there is any. */
export function refuseFaults(what: string, faults: readonly Fault[]): void {
  if (faults.length > 0) throw invalidSettings(what, faults);
}

function invalidSettings(what: string, issues: readonly Fault[]): ServerError {
  return new ServerError({
    code: 'SERVER_SETTINGS_INVALID',
    message: `${what} cannot be used: ${issues.map(({ path, message }) => `${path}: ${message}`).join('; ')}`,
    details: { issues },
    hint: 'Correct all of it and try again; nothing was changed',
  });
}
