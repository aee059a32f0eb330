import { describe, expect, it } from 'vitest';
import { OPERATIONS, openApiDocument, runSchemas } from '../src/index.ts';
import { runRequests } from '../testing/index.ts';

describe('the table of operations', () => {
  it('has no two of the same name, or the same method and path', () => {
    expect(new Set(OPERATIONS.map(({ id }) => id)).size).toBe(OPERATIONS.length);
    expect(new Set(OPERATIONS.map(({ method, path }) => `${method} ${path.replace(/\{\w+\}/g, '{}')}`)).size).toBe(OPERATIONS.length);
  });

  it.each(OPERATIONS.map((operation) => [operation.id, operation] as const))(
    '%s says what its path has, and takes bodies only to change something',
    (_id, operation) => {
      const inPath = [...operation.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      expect(Object.keys(operation.params?.shape ?? {})).toEqual(inPath);
      if (operation.body !== undefined) expect(['post', 'put']).toContain(operation.method);
      if (operation.role === 'public') expect(['signIn', 'signInOptions']).toContain(operation.id);
      if (operation.method !== 'get' && operation.tag !== 'session' && operation.tag !== 'access' && operation.id !== 'previewPolicy')
        expect(['operator', 'admin']).toContain(operation.role);
      if (operation.objects === 'vm-manage') expect(operation.role).toBe('operator');
    },
  );

  it('knows every kind of run', () => {
    for (const request of runRequests) expect(runSchemas.runRequest.parse(request)).toEqual(request);
    expect(runSchemas.runRequest.safeParse({ kind: 'format-the-host' }).success).toBe(false);
  });
});

describe('the OpenAPI document', () => {
  const document = openApiDocument('1.2.3');

  it('has every operation, and no reference to what is not in it', () => {
    const paths = document['paths'] as Record<string, Record<string, { operationId: string }>>;
    expect(
      Object.values(paths)
        .flatMap((methods) => Object.values(methods).map(({ operationId }) => operationId))
        .sort(),
    ).toEqual(OPERATIONS.map(({ id }) => id).sort());
    const { schemas } = document['components'] as { schemas: Record<string, unknown> };
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, reference]) => reference);
    expect(references.length).toBeGreaterThan(40);
    for (const reference of references) expect(Object.keys(schemas)).toContain(reference?.replace('#/components/schemas/', ''));
  });

  it('is plain JSON of OpenAPI 3.1', () => {
    expect(JSON.parse(JSON.stringify(document))).toEqual(document);
    expect(document).toMatchObject({ openapi: '3.1.0', info: { version: '1.2.3' } });
  });
});
