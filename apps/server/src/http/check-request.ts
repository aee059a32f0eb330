import { sayMissing } from '@onevault/base';
import { z } from 'zod';
import { ServerError } from '../errors.ts';

interface Issue {
  readonly path: string;
  readonly message: string;
}

const NOTHING = z.object({});

/** Gives a part of a request the shape of its schema. Throws SERVER_REQUEST_INVALID with every fault; a field that the schema does not know is one: it may be a misspelt one that matters. */
export function checkPart(place: 'path' | 'query' | 'body', schema: z.ZodType | undefined, value: unknown): unknown {
  if (schema === undefined && place === 'body') {
    if (value === undefined || value === null) return undefined;
    throw invalid(place, [{ path: place, message: 'this takes no body' }]);
  }
  const read = (schema ?? NOTHING).safeParse(value ?? (place === 'body' ? undefined : {}), { error: sayMissing });
  if (!read.success) {
    throw invalid(
      place,
      read.error.issues.slice(0, 20).map(({ path, message }) => ({ path: [place, ...path].map(String).join('.').slice(0, 200), message })),
    );
  }
  const unknown = [...unknownFields(value, read.data, [place])].slice(0, 20);
  if (unknown.length > 0)
    throw invalid(
      place,
      unknown.map((path) => ({ path: path.slice(0, 200), message: 'unknown field' })),
    );
  return read.data;
}

function* unknownFields(given: unknown, taken: unknown, path: readonly string[]): Generator<string> {
  if (given === taken || typeof given !== 'object' || given === null || typeof taken !== 'object' || taken === null) return;
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(taken, name)) yield [...path, name].join('.');
    else yield* unknownFields(value, (taken as Record<string, unknown>)[name], [...path, name]);
  }
}

function invalid(place: string, issues: readonly Issue[]): ServerError {
  return new ServerError({
    code: 'SERVER_REQUEST_INVALID',
    message: `the ${place} of the request is not what this operation takes`,
    details: { issues },
    hint: 'The OpenAPI document is at /api/v1/openapi.json',
  });
}
