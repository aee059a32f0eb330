import { z } from 'zod';

/** A vector attribute: `DISK=[IMAGE_ID="3"]`. Keys in upper case, as oned stores them. */
export type Vector = Record<string, string>;

/** A template: every name may occur several times; oned prints names in byte order and equal names as they came. */
export type Attributes = Record<string, (string | Vector)[]>;

const vectorSchema = z.record(z.string(), z.string());
export const attributesSchema = z.record(z.string(), z.array(z.union([z.string(), vectorSchema])));

/** The first plain value of that name. */
export function textOf(attributes: Attributes, name: string): string | undefined {
  const value = attributes[name]?.find((candidate) => typeof candidate === 'string');
  return typeof value === 'string' ? value : undefined;
}

/** Every vector of that name, in order; the vectors themselves, so that a change to one is a change of the template. */
export function vectorsOf(attributes: Attributes, name: string): Vector[] {
  return (attributes[name] ?? []).filter((value): value is Vector => typeof value !== 'string');
}

export function setText(attributes: Attributes, name: string, value: string): void {
  attributes[name] = [value];
}

export function addVector(attributes: Attributes, name: string, vector: Vector): void {
  attributes[name] = [...(attributes[name] ?? []), vector];
}

/** Takes a plain value out of the template and returns it. */
export function takeText(attributes: Attributes, name: string): string | undefined {
  const value = textOf(attributes, name);
  delete attributes[name];
  return value;
}

/** As Template::merge: what `extra` names replaces all of that name. */
export function mergeAttributes(base: Attributes, extra: Attributes): Attributes {
  return { ...structuredClone(base), ...structuredClone(extra) };
}

/** OpenNebula's truth: YES, in any case. */
export function isYes(value: string | undefined): boolean {
  return value?.toUpperCase() === 'YES';
}
