import { z } from 'zod';
import { parseBody } from './body.ts';
import { OneError } from './errors.ts';
import type { Attribute, Attributes } from './model.ts';

/** Field shapes of OpenNebula bodies, in which everything is text. */
export const int = z
  .string()
  .regex(/^-?\d+$/, 'not an integer')
  .transform(Number)
  .refine(Number.isSafeInteger, 'not a safe integer');
export const text = z.string();
/** Absent and empty are the same thing to oned: short pool bodies write `<IMAGE_ID></IMAGE_ID>`. */
export const optionalText = z.preprocess(emptyToUndefined, z.string().optional());
export const optionalInt = z.preprocess(emptyToUndefined, int.optional());
export const yesNo = z.preprocess((value) => typeof value === 'string' && value.toUpperCase() === 'YES', z.boolean());

/** A real number (`CPU` is 0.1); anything else counts as absent. */
export const optionalNumber = z.preprocess(
  (value) => (typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : undefined),
  z.number().optional(),
);

/** A list that `body.ts` makes a list, or that is absent or empty. */
export function list<Item extends z.ZodType>(item: Item): z.ZodPreprocess<z.ZodArray<Item>> {
  return z.preprocess((value) => (value === undefined || value === '' ? [] : value), z.array(item));
}

/** What stands once, several times or not at all, where `body.ts` makes no list of it. */
export function many<Item extends z.ZodType>(item: Item): z.ZodPreprocess<z.ZodArray<Item>> {
  return z.preprocess((value) => (Array.isArray(value) ? value : value === undefined || value === '' ? [] : [value]), z.array(item));
}

/** An element that may be there without content. */
export function element<Shape extends z.ZodRawShape>(shape: Shape): z.ZodPreprocess<z.ZodObject<{ -readonly [Key in keyof Shape]: Shape[Key] }>> {
  return z.preprocess((value) => (value === undefined || value === '' ? {} : value), z.object(shape));
}

function emptyToUndefined(value: unknown): unknown {
  return value === '' ? undefined : value;
}

/** TEMPLATE and USER_TEMPLATE, whatever is in them. */
export const attributes = z.preprocess(emptyToUndefined, z.unknown().transform(toAttributes));
/** The scalar attributes of a vector; what is nested or repeated in one is no part of OpenNebula's template language. */
export const vector = attributes.transform((all) =>
  Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => typeof entry[1] === 'string')),
);

function toAttributes(value: unknown): Attributes {
  const attribute = toAttribute(value);
  return isAttributes(attribute) ? attribute : {};
}

function toAttribute(value: unknown): Attribute {
  if (Array.isArray(value)) return value.map(toAttribute);
  if (typeof value !== 'object' || value === null) return typeof value === 'string' ? value : '';
  return Object.fromEntries(Object.entries(value).flatMap(([name, inner]) => (name === '#text' ? [] : [[name, toAttribute(inner)]])));
}

export function isAttributes(attribute: Attribute | undefined): attribute is Attributes {
  return typeof attribute === 'object' && !Array.isArray(attribute);
}

/** The text of a single attribute; of a repeated one the last, as oned's own lookups take one. */
export function textOf(attribute: Attribute | undefined): string | undefined {
  if (Array.isArray(attribute)) return textOf(attribute.at(-1));
  return typeof attribute === 'string' && attribute !== '' ? attribute : undefined;
}

/** Parses one body and gives it its shape. Throws ONE_RESPONSE_INVALID naming the object and the field. */
export function readObject<Shape>(xml: string, root: string, shape: z.ZodType<Shape>): Shape {
  return shaped(parseBody(xml, root), root, shape);
}

export function shaped<Shape>(body: unknown, root: string, shape: z.ZodType<Shape>): Shape {
  const read = shape.safeParse(body);
  if (read.success) return read.data;
  const issue = read.error.issues[0];
  const field = issue?.path.map(String).join('/') ?? '';
  const object = `${root} ${idOf(body)}`;
  throw new OneError('ONE_RESPONSE_INVALID', `${object}: ${field === '' ? root : field}: ${issue?.message ?? 'unreadable'}`, {
    details: { object, field },
    cause: read.error,
  });
}

function idOf(body: unknown): string {
  const id = typeof body === 'object' && body !== null && 'ID' in body ? body.ID : undefined;
  return typeof id === 'string' ? id : '?';
}
