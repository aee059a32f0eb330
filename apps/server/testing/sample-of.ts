import { z } from 'zod';

interface Shape {
  readonly $ref?: string;
  readonly type?: string;
  readonly const?: unknown;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Shape[];
  readonly oneOf?: readonly Shape[];
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly format?: string;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
}

/** The smallest value that a schema takes: what is optional is absent, lists are empty. */
export function sampleOf(schema: z.ZodType, io: 'input' | 'output' = 'input'): unknown {
  const json = z.toJSONSchema(schema, { io, unrepresentable: 'any', reused: 'inline' }) as Shape & { readonly $defs?: Readonly<Record<string, Shape>> };
  return sample(json, json.$defs ?? {});
}

/** The same of a JSON schema, as the OpenAPI document has it. */
export function sample(shape: Shape, definitions: Readonly<Record<string, Shape>>): unknown {
  if (shape.$ref !== undefined) return sample(definitions[shape.$ref.split('/').at(-1) ?? ''] ?? {}, definitions);
  if ('const' in shape) return shape.const;
  if (shape.default !== undefined) return shape.default;
  if (shape.enum !== undefined) return shape.enum[0];
  const [choice] = shape.oneOf ?? shape.anyOf ?? [];
  if (choice !== undefined) return sample(choice, definitions);
  return ofType(shape, definitions);
}

function ofType(shape: Shape, definitions: Readonly<Record<string, Shape>>): unknown {
  switch (shape.type) {
    case 'object':
      return Object.fromEntries((shape.required ?? []).map((name) => [name, sample(shape.properties?.[name] ?? {}, definitions)]));
    case 'array':
      return [];
    case 'integer':
    case 'number':
      return Math.max(shape.minimum ?? 0, shape.exclusiveMinimum === undefined ? 0 : shape.exclusiveMinimum + 1, 0);
    case 'boolean':
      return false;
    case 'string':
      return text(shape);
    default:
      return {};
  }
}

function text({ format, pattern, minLength = 1 }: Shape): string {
  if (format === 'date-time') return '2026-11-28T10:00:00.000Z';
  if (pattern?.includes('[smhdw]')) return '7d';
  return 'a'.repeat(Math.max(1, minLength));
}
