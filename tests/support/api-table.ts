import { runRequests } from '@onevault/api/testing';
import { sample } from '@onevault/server/testing';

/** One operation, as the document says it. */
export interface Documented {
  readonly operationId: string;
  readonly method: string;
  readonly path: string;
  readonly role: 'public' | 'viewer' | 'operator' | 'admin';
  readonly objects: string;
  readonly parameters: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly content: { readonly 'application/json': { readonly schema: object } } };
}

/** Every operation there is, by the document alone. */
export function documented(paths: Readonly<Record<string, Readonly<Record<string, Record<string, unknown>>>>>): Documented[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(
      ([method, facts]) => ({ ...facts, method, path, role: facts['x-onevault-role'], objects: facts['x-onevault-objects'] }) as unknown as Documented,
    ),
  );
}

/** Ids by the name of the parameter. */
export type Ids = Readonly<Record<string, string>>;

interface Wanted {
  readonly operation: Documented;
  readonly ids: Ids;
  readonly definitions: Readonly<Record<string, object>>;
  readonly signIn: { readonly user: string; readonly password: string };
  /** Of the token that is made. */
  readonly expiresAt: Date;
}

let count = 0;

/** A parameter that nobody has taught this test is one whose objects it would not look at. */
export function pathOf(operation: Documented, ids: Ids): string {
  return operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const id = ids[name];
    if (id === undefined) throw new Error(`${operation.operationId}: teach this test what {${name}} is`);
    return id;
  });
}

/** Every body worth a try: of runs one of each kind. */
export function bodiesOf({ operation, ids, definitions, signIn, expiresAt }: Wanted): readonly unknown[] {
  const schema = operation.requestBody?.content['application/json'].schema;
  if (schema === undefined) return [undefined];
  if (JSON.stringify(schema).includes('/RunRequest"')) {
    return runRequests.map((request) => ({
      ...request,
      ...('vmId' in request && { vmId: Number(ids['vmId']) }),
      ...('pointId' in request && { pointId: ids['pointId'] }),
    }));
  }
  const body = sample(schema, definitions) as Record<string, unknown>;
  if (operation.operationId === 'createToken') return [{ ...body, name: `sample-${++count}`, expiresAt: expiresAt.toISOString() }];
  if (operation.operationId === 'signIn') return [signIn];
  return [body];
}
