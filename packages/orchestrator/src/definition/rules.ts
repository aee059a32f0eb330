import type { AttributeRule } from './attribute-rule.ts';

/** The same for several attributes of a vector, which share a reason: one line of the table each. */
export function each(vector: string, names: string, rule: Omit<AttributeRule, 'path'>): AttributeRule[] {
  return names.split(/\s+/).map((name) => ({ path: vector === '' ? name : `${vector}/${name}`, ...rule }));
}

export const isYes = (value: string | undefined): boolean => value?.toUpperCase() === 'YES';
