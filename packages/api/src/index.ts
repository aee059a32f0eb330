/**
 * The REST API of the onevault server as data: what can be asked, by whom, and what is answered. Server, web UI, CLI and the OpenAPI document are all made from it.
 * @packageDocumentation
 */
import * as accessSchemas from './schemas/access.ts';
import * as configurationSchemas from './schemas/configuration.ts';
import * as runSchemas from './schemas/run.ts';
import * as vmSchemas from './schemas/vm.ts';

export {
  type Answer,
  type ApiCallOptions,
  type ApiClient,
  type ApiClientOptions,
  type ApiFile,
  type CallInput,
  createApiClient,
} from './client/api-client.ts';
export { ApiError, isApiError } from './client/api-error.ts';
export { API_PREFIX, openApiDocument } from './openapi.ts';
export { isAudited, type Method, type ObjectRule, type Operation, ROLES, type Role } from './operation.ts';
export { OPERATIONS, type OperationId, type OperationOf } from './operations/operations.ts';
export type { RunKind, RunRequest, StreamEvent } from './schemas/run.ts';
export { type Problem, problem } from './schemas/wire-values.ts';
export { accessSchemas, configurationSchemas, runSchemas, vmSchemas };
