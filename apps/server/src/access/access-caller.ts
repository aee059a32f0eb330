import type { Role } from '@onevault/api';
import { type Guarded, mayCreate, mayDo, type ResourceKind, type Right } from '@onevault/one-client';
import type { Caller } from '../ports/call.ts';
import type { InventoryVm } from '../ports/inventory.ts';
import type { ApiToken } from './api-tokens.ts';
import type { Session } from './sessions.ts';
import type { Standing } from './standings.ts';

export interface Identity {
  readonly session?: Session;
  readonly token?: ApiToken;
  /** Who signed in with a token of one group is in that group alone. */
  readonly groupScope: number | undefined;
}

/** Somebody whom the server knows, with what OpenNebula lets them do. `refresh` gives one that stays long (an event stream) their rights of now. */
export class AccessCaller implements Caller {
  readonly kind: 'user' | 'token';
  readonly user: string;
  readonly userId: number;
  readonly role: Role;
  readonly label: string;
  readonly session: Session | undefined;
  readonly token: ApiToken | undefined;
  readonly #groupScope: number | undefined;
  #standing: Standing;

  constructor(identity: Identity, role: Role, standing: Standing) {
    const { session, token } = identity;
    this.kind = token === undefined ? 'user' : 'token';
    this.user = standing.user.name;
    this.userId = standing.user.id;
    this.role = role;
    this.label = token === undefined ? this.user : `${token.name} of ${this.user}`;
    this.session = session;
    this.token = token;
    this.#groupScope = identity.groupScope;
    this.#standing = standing;
  }

  get groupId(): number {
    return this.#groupScope ?? this.#standing.user.gid;
  }

  get groupScope(): number | undefined {
    return this.#groupScope;
  }

  get #groupIds(): readonly number[] {
    return this.#groupScope === undefined ? this.#standing.user.groupIds : [this.#groupScope];
  }

  get groups(): readonly string[] {
    return this.#groupIds.map((id) => this.#standing.groupNames.get(id) ?? String(id));
  }

  /** Aborted when the session or token ends. */
  get ended(): AbortSignal {
    return this.session?.ended ?? this.token?.ended ?? NEVER;
  }

  mayUse(vm: InventoryVm): boolean {
    return this.may('use', { kind: 'VM', id: vm.facts.id, ...vm.owned });
  }

  mayManage(vm: InventoryVm): boolean {
    return this.may('manage', { kind: 'VM', id: vm.facts.id, ...vm.owned });
  }

  /** Whose something is, not whether it is locked: a lock is OpenNebula's to enforce, and a plan names it; a locked VM's restore points stay usable. */
  may(right: Right, object: Guarded): boolean {
    return mayDo({ id: this.userId, groupIds: this.#groupIds }, right, object, this.#standing.rules, { ignoreLock: true }).may === 'yes';
  }

  mayCreate(kind: ResourceKind): boolean {
    return mayCreate({ id: this.userId, groupIds: this.#groupIds }, kind, this.#standing.rules).may === 'yes';
  }

  refresh(standing: Standing): void {
    this.#standing = standing;
  }
}

const NEVER = new AbortController().signal;

/** Whoever calls what is open to all. */
export const NOBODY: Caller = {
  kind: 'user',
  user: '',
  userId: -1,
  groupId: -1,
  groups: [],
  role: 'viewer',
  label: 'anonymous',
  mayUse: () => false,
  mayManage: () => false,
  may: () => false,
};
