import type { Attribute, Attributes } from '@onevault/one-client';

/** One attribute that may stand once, several times or not at all, as a list of vectors. */
export function vectors(attribute: Attribute | undefined): readonly Attributes[] {
  if (attribute === undefined || typeof attribute === 'string') return [];
  return isList(attribute) ? attribute.flatMap((entry) => vectors(entry)) : [attribute];
}

function isList(attribute: Attributes | readonly Attribute[]): attribute is readonly Attribute[] {
  return Array.isArray(attribute);
}

export function text(attribute: Attribute | undefined): string | undefined {
  return typeof attribute === 'string' ? attribute : undefined;
}

export function number(attribute: Attribute | undefined): number | undefined {
  const value = text(attribute);
  return value !== undefined && /^\d+$/.test(value) ? Number(value) : undefined;
}
