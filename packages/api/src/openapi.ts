import { z } from 'zod';
import type { Operation } from './operation.ts';
import { OPERATIONS } from './operations/operations.ts';
import { problem } from './schemas/wire-values.ts';

type JsonObject = { [key: string]: unknown };

export const API_PREFIX = '/api/v1';

/** The OpenAPI 3.1 document of all operations. What is answered is checked against the same schemas. */
export function openApiDocument(version: string): JsonObject {
  const schemas: JsonObject = {};
  const paths: { [path: string]: JsonObject } = {};
  for (const operation of OPERATIONS) {
    const path = `${API_PREFIX}${operation.path}`;
    paths[path] = { ...paths[path], [operation.method]: describe(operation, schemas) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'onevault', version, description: 'Backup and recovery for OpenNebula KVM virtual machines' },
    paths,
    components: {
      schemas,
      securitySchemes: {
        session: { type: 'apiKey', in: 'cookie', name: 'onevault_session' },
        token: { type: 'http', scheme: 'bearer' },
      },
    },
  };
}

function describe(operation: Operation, schemas: JsonObject): JsonObject {
  const { id, summary, tag, role, objects, body, idempotent } = operation;
  return {
    operationId: id,
    summary,
    tags: [tag],
    ...(role === 'public' ? { security: [] } : { security: [{ session: [] }, { token: [] }] }),
    'x-onevault-role': role,
    'x-onevault-objects': objects,
    parameters: [...fieldsOf(operation.params, 'path', schemas), ...fieldsOf(operation.query, 'query', schemas), ...(idempotent ? [IDEMPOTENCY_KEY] : [])],
    ...(body && { requestBody: { required: true, content: { 'application/json': { schema: schemaOf(body, 'input', schemas) } } } }),
    responses: {
      [operation.answer.status]: answerOf(operation.answer, schemas),
      default: { description: 'why not', content: { 'application/problem+json': { schema: schemaOf(problem, 'output', schemas) } } },
    },
  };
}

const IDEMPOTENCY_KEY = { name: 'Idempotency-Key', in: 'header', required: false, schema: { type: 'string', maxLength: 128 } };

function fieldsOf(fields: z.ZodObject | undefined, place: 'path' | 'query', schemas: JsonObject): JsonObject[] {
  return Object.entries(fields?.shape ?? {}).map(([name, field]) => {
    const schema = schemaOf(field as z.ZodType, 'input', schemas);
    return { name, in: place, required: place === 'path' || !(field as z.ZodType).safeParse(undefined).success, schema };
  });
}

function answerOf(answer: Operation['answer'], schemas: JsonObject): JsonObject {
  if ('body' in answer) return { description: 'done', content: { 'application/json': { schema: schemaOf(answer.body, 'output', schemas) } } };
  if ('events' in answer)
    return { description: 'a stream that goes on', content: { 'text/event-stream': { schema: schemaOf(answer.events, 'output', schemas) } } };
  if ('file' in answer) return { description: 'a file', content: { [answer.file]: {} } };
  return { description: 'done' };
}

/** Schemas with an id go among the components, once. */
function schemaOf(schema: z.ZodType, io: 'input' | 'output', schemas: JsonObject): JsonObject {
  const {
    $schema: _,
    $defs = {},
    ...plain
  } = z.toJSONSchema(schema, { io, target: 'draft-2020-12', unrepresentable: 'any', reused: 'inline' }) as JsonObject & {
    $defs?: JsonObject;
  };
  for (const [name, definition] of Object.entries($defs)) schemas[name] ??= moved(definition);
  const id = schema.meta()?.id;
  if (id === undefined) return moved(plain) as JsonObject;
  schemas[id] ??= moved(plain);
  return { $ref: `#/components/schemas/${id}` };
}

/** `$defs` of a schema are components of the document. */
function moved(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(moved);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, field]) => [
      key,
      key === '$ref' && typeof field === 'string' ? field.replace('#/$defs/', '#/components/schemas/') : moved(field),
    ]),
  );
}
