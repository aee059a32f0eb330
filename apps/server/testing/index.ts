/**
 * For tests of what the server is made of.
 * @packageDocumentation
 */

export { type ApiSide, startApiSide } from '../src/start/api-side.ts';
export { openStateDirectory } from '../src/start/state-directory.ts';
export { type AccessWorld, type AccessWorldOptions, makeAccessWorld } from './access-world.ts';
export { ANYBODY, bearer, bodyAs, type RawReply, type SendOptions, type Somebody, send, signIn } from './api-client.ts';
export { callOf, SOMEBODY } from './call-of.ts';
export { backupPolicy, fleet, inventoryVm, repositoryStanding, serverSettings } from './fleet.ts';
export { HookServer, type ReceivedHook } from './hook-server.ts';
export { runRecord } from './run-record.ts';
export { sampleHandlers } from './sample-handlers.ts';
export { sample, sampleOf } from './sample-of.ts';
export { rolesInMemory } from './settings-in-memory.ts';
export { type ReceivedMail, SmtpServer, type SmtpServerOptions } from './smtp-server.ts';
