import type { Operation } from '@onevault/api';
import type { AuditEntry, AuditLog } from '@onevault/audit-log';
import { isBaseError } from '@onevault/base';
import type { Visit } from './visit.ts';

export interface Outcome {
  readonly outcome: AuditEntry['outcome'];
  readonly status: number;
  readonly code?: string | undefined;
  /** Of the run that was begun. */
  readonly runId?: string | undefined;
  readonly replayed?: boolean;
  /** Who has just signed in. */
  readonly signedIn?: string | undefined;
}

export interface AuditTrailDeps {
  readonly audit: AuditLog;
  /** A name as it was typed at sign-in, if it may be written down. */
  readonly printableName: (typed: string) => Promise<string>;
}

/** Writes down that somebody did something, or was not let. */
export class AuditTrail {
  readonly #deps: AuditTrailDeps;
  #failure: unknown;

  constructor(deps: AuditTrailDeps) {
    this.#deps = deps;
  }

  /** Throws when the log takes nothing any more: what could not be written down is not done. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** On stable storage when it resolves: the answer is sent after that. */
  async note(visit: Visit, operation: Operation, outcome: Outcome): Promise<void> {
    const { outcome: word, signedIn, ...facts } = outcome;
    const actor = signedIn === undefined ? await actorOf(this.#deps, visit, operation) : ({ kind: 'user', name: signedIn } as const);
    await this.write({
      actor: { ...actor, address: visit.address.slice(0, 256) },
      action: operation.id,
      object: objectOf(visit).slice(0, 512),
      outcome: word,
      details: withoutGaps({ requestId: visit.requestId, ...facts }),
    });
  }

  async write(entry: AuditEntry): Promise<void> {
    try {
      await this.#deps.audit.append(entry);
    } catch (error) {
      if (isBaseError(error)) this.#failure = error;
      throw error;
    }
  }
}

function withoutGaps(facts: Readonly<Record<string, string | number | boolean | undefined>>): NonNullable<AuditEntry['details']> {
  return Object.fromEntries(Object.entries(facts).filter((entry): entry is [string, string | number | boolean] => entry[1] !== undefined));
}

async function actorOf(deps: AuditTrailDeps, visit: Visit, operation: Operation): Promise<Pick<AuditEntry['actor'], 'kind' | 'name'>> {
  const { caller, body } = visit;
  if (caller !== undefined) return { kind: caller.kind, name: caller.label.slice(0, 256) };
  const typed = operation.signIn === true ? fieldOf(body, 'user') : undefined;
  return { kind: 'anonymous', name: typed === undefined ? '' : await deps.printableName(typed) };
}

/** What it was done to: what the path names, and of a run what it is and is for. Nothing else of a body: it may hold what nobody should read. */
function objectOf({ params, body, operation }: Visit): string {
  const named = Object.values(params ?? {}).map(String);
  const ofRun = operation?.id === 'startRun' ? ['kind', 'vmId', 'repository', 'pointId', 'policy', 'set', 'name'].map((field) => fieldOf(body, field)) : [];
  const ofToken = operation?.id === 'createToken' ? [fieldOf(body, 'name')] : [];
  return [...named, ...ofRun, ...ofToken].filter((part) => part !== undefined).join(' ');
}

function fieldOf(body: unknown, field: string): string | undefined {
  if (typeof body !== 'object' || body === null || !Object.hasOwn(body, field)) return undefined;
  const value = (body as Record<string, unknown>)[field];
  return typeof value === 'string' || typeof value === 'number' ? String(value).slice(0, 128) : undefined;
}
