import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AuditLog, openAuditLog } from '@onevault/audit-log';
import { type Clock, type Logger, Scope, Secret, silentLogger, systemClock } from '@onevault/base';
import { createOneClient, type OneApi } from '@onevault/one-client';
import type { Simulator } from '@onevault/one-sim';
import { startTestSimulator, type TestSimulator } from '@onevault/one-sim/testing';
import { Access, type AccessDeps } from '../src/access/access.ts';
import { accessHandlers } from '../src/access/access-handlers.ts';
import { credentialsVerifier } from '../src/access/verify-credentials.ts';
import { createHttpServer, type HttpServer } from '../src/http/create-http-server.ts';
import type { HttpSettings } from '../src/http/http-settings.ts';
import type { ObjectDeps } from '../src/http/object-rules.ts';
import type { HandlerTable } from '../src/ports/call.ts';
import type { ServerSettings } from '../src/ports/settings-store.ts';
import { rolesInMemory } from './settings-in-memory.ts';

export interface AccessWorld extends AsyncDisposable {
  readonly sim: Simulator;
  readonly must: TestSimulator['must'];
  readonly cloud: OneApi;
  readonly access: Access;
  readonly audit: AuditLog;
  readonly settings: ReturnType<typeof rolesInMemory>;
  /** Holds tokens and the audit log. */
  readonly directory: string;
  /** Access and audit handlers, and those given; listens on loopback. */
  serve(objects: Omit<ObjectDeps, 'cloud'>, handlers: HandlerTable, settings?: Partial<HttpSettings>): Promise<HttpServer>;
}

export interface AccessWorldOptions {
  readonly roles?: Partial<Pick<ServerSettings, 'roles' | 'defaultRole'>>;
  readonly clock?: Clock;
  readonly logger?: Logger;
  readonly access?: Partial<AccessDeps>;
}

/** A simulated cloud with its users, and all that stands between them and the handlers. */
export async function makeAccessWorld(options: AccessWorldOptions = {}): Promise<AccessWorld> {
  const { clock = systemClock, logger = silentLogger } = options;
  await using scope = new Scope();
  const directory = await mkdtemp(join(tmpdir(), 'onevault-access-'));
  scope.defer(() => rm(directory, { recursive: true, force: true }));
  const { sim, must } = scope.use(await startTestSimulator());
  const cloud = scope.use(createOneClient({ endpoint: sim.endpoint, session: new Secret(`${sim.user}:${sim.password}`), logger }));
  const settings = rolesInMemory({ roles: {}, defaultRole: 'viewer', ...options.roles });
  const auditDirectory = join(directory, 'audit');
  const audit = scope.use(await openAuditLog({ directory: auditDirectory, clock }));
  const deps: AccessDeps = {
    cloud,
    verify: credentialsVerifier({ endpoint: sim.endpoint, clock: systemClock, logger }),
    settings,
    audit,
    auditDirectory,
    tokenPath: join(directory, 'tokens.json'),
    clock,
    logger,
    randomBytes,
    version: '1.2.3',
    ...options.access,
  };
  const access = await Access.open(deps);
  const servers = new Scope();
  scope.use(servers);
  scope.defer(async () => access[Symbol.dispose]());
  const owned = scope.move();
  return {
    sim,
    must,
    cloud,
    access,
    audit,
    settings,
    directory,
    serve: async (objects, handlers, http = {}) =>
      servers.use(
        await createHttpServer(
          { access, objects: { ...objects, cloud }, ready: {}, clock, logger, randomBytes, version: '1.2.3' },
          { ...handlers, ...accessHandlers(access) },
          { host: '127.0.0.1', port: 0, ...http },
        ),
      ),
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}
