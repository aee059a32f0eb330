import { z } from 'zod';

export const timestamp = z.iso.datetime().meta({ description: 'RFC 3339, UTC' });
export const bytes = z.int().min(0);
export const ms = z.int().min(0);
export const objectName = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'lower-case letters, digits and dashes, at most 63');
export const vmIdParam = z.coerce.number().int().min(0);
export const pointIdParam = z.string().regex(/^[0-9A-Za-z-]{1,80}$/);

/** A page is asked for by the cursor of the one before; nothing is counted through to find it. */
export const pageQuery = z.object({ limit: z.coerce.number().int().min(1).max(500).default(100), cursor: z.string().max(512).optional() });

export function pageOf<T extends z.ZodType>(item: T): z.ZodObject<{ items: z.ZodArray<T>; next: z.ZodOptional<z.ZodString> }> {
  return z.object({ items: z.array(item), next: z.string().optional().meta({ description: 'cursor of the next page; absent on the last one' }) });
}

/** Why something is as it is: a code that stays, a sentence that may change. */
export const reason = z.object({ code: z.string(), text: z.string() }).meta({ id: 'Reason' });

/** RFC 9457, with our codes. */
export const problem = z
  .object({
    type: z.string().meta({ description: 'urn:onevault:error:<code>' }),
    title: z.string(),
    status: z.int(),
    code: z.string(),
    detail: z.string(),
    hint: z.string().optional(),
    /** What in the request is wrong. */
    issues: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
    requestId: z.string(),
  })
  .meta({ id: 'Problem' });
export type Problem = z.output<typeof problem>;

/** An error that something ended with, as the CLI says it. */
export const failure = z.object({ code: z.string().optional(), message: z.string(), hint: z.string().optional() }).meta({ id: 'Failure' });
