import type { Role } from '@onevault/api';
import type { Clock } from '@onevault/base';
import { hashSecret } from './hashed-secret.ts';

export interface Session {
  /** Hash of what the browser has. */
  readonly id: string;
  readonly userId: number;
  readonly user: string;
  readonly role: Role;
  readonly groupScope: number | undefined;
  readonly csrfToken: string;
  readonly signedInAt: Date;
  readonly expiresAt: Date;
  readonly ended: AbortSignal;
}

interface Kept {
  readonly session: Session;
  readonly end: AbortController;
  usedAtMs: number;
}

export interface SessionDeps {
  readonly clock: Clock;
  readonly randomBytes: (size: number) => Uint8Array;
  /** Without a request. Default 30 min. */
  readonly idleMs?: number;
  /** In all. Default 12 h. */
  readonly lifeMs?: number;
}

const MAX_SESSIONS = 10_000;
const MAX_OF_USER = 20;

export type Beginning = Pick<Session, 'userId' | 'user' | 'role' | 'groupScope'> & { readonly notAfter: Date | undefined };

/** Who is signed in. In memory: a restart asks everybody to sign in again, and no file is worth stealing. */
export class Sessions {
  readonly #deps: SessionDeps;
  readonly #kept = new Map<string, Kept>();
  readonly #idleMs: number;
  readonly #lifeMs: number;

  constructor(deps: SessionDeps) {
    this.#deps = deps;
    this.#idleMs = deps.idleMs ?? 30 * 60_000;
    this.#lifeMs = deps.lifeMs ?? 12 * 3_600_000;
  }

  /** The secret goes to the browser and is kept nowhere. A user's oldest session ends when there are too many. */
  begin({ notAfter, ...facts }: Beginning): { readonly secret: string; readonly session: Session } {
    const { clock } = this.#deps;
    this.sweep();
    const secret = this.#random();
    const end = new AbortController();
    const signedInAt = clock.now();
    const latest = signedInAt.getTime() + this.#lifeMs;
    const expiresAt = new Date(Math.min(latest, notAfter?.getTime() ?? latest));
    const session: Session = { ...facts, id: hashSecret(secret), csrfToken: this.#random(), signedInAt, expiresAt, ended: end.signal };
    this.#kept.set(session.id, { session, end, usedAtMs: clock.monotonicMs() });
    const ofUser = [...this.#kept.values()].filter((kept) => kept.session.userId === facts.userId);
    if (ofUser.length > MAX_OF_USER) this.#end(ofUser[0]);
    if (this.#kept.size > MAX_SESSIONS) this.#end(this.#kept.values().next().value);
    return { secret, session };
  }

  /** Counts as use. Undefined for one that is unknown, over, or too long unused. */
  find(secret: string): Session | undefined {
    const kept = this.#kept.get(hashSecret(secret));
    if (kept === undefined) return undefined;
    if (this.#isOver(kept)) {
      this.#end(kept);
      return undefined;
    }
    kept.usedAtMs = this.#deps.clock.monotonicMs();
    return kept.session;
  }

  end(session: Session): void {
    this.#end(this.#kept.get(session.id));
  }

  endWhere(over: (session: Session) => boolean): void {
    for (const kept of [...this.#kept.values()]) if (over(kept.session)) this.#end(kept);
  }

  /** Ends what is over, and with it the event streams it has open. */
  sweep(): void {
    for (const kept of [...this.#kept.values()]) if (this.#isOver(kept)) this.#end(kept);
  }

  #isOver({ session, usedAtMs }: Kept): boolean {
    const { clock } = this.#deps;
    return clock.monotonicMs() - usedAtMs > this.#idleMs || clock.now() >= session.expiresAt;
  }

  #end(kept: Kept | undefined): void {
    if (kept === undefined) return;
    this.#kept.delete(kept.session.id);
    kept.end.abort();
  }

  #random(): string {
    return Buffer.from(this.#deps.randomBytes(32)).toString('base64url');
  }
}
