import type { HandlerTable } from '../ports/call.ts';
import { overviewHandler } from './overview-handler.ts';
import { pointHandlers } from './point-handlers.ts';
import { policyHandlers } from './policy-handlers.ts';
import { repositoryHandlers } from './repository-handlers.ts';
import type { StateDeps } from './state-deps.ts';
import { vmHandlers } from './vm-handlers.ts';

/** Operations that are answered from what is known: settings, inventory, catalog, protection. */
export function stateHandlers(deps: StateDeps): HandlerTable {
  return { ...overviewHandler(deps), ...vmHandlers(deps), ...pointHandlers(deps), ...policyHandlers(deps), ...repositoryHandlers(deps) };
}
