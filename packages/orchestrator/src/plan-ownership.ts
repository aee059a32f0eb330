import { type CallOptions, errorCode } from '@onevault/base';
import { isCloudAdmin, mayDo, type NewOwner, type OneApi, type Owned, type Permissions, type ResourceKind, type User } from '@onevault/one-client';
import { JobError } from './errors.ts';
import type { OwnershipWish } from './request.ts';
import type { RestoreNote } from './restore-plan.ts';

/** What an object is given once it is whole; empty: it stays the API user's. */
export interface Transfer extends NewOwner {
  readonly permissions?: Permissions | undefined;
}

/** Who is who in the cloud now, as far as the wish needs it. */
export interface OwnershipPlanner {
  readonly self: User;
  /** For an object that was saved with this owner; `names` as they were then: a number alone may be somebody else's by now. */
  transferOf(saved: SavedOwner | undefined): Promise<Transfer>;
  /** What of the saved ownership cannot be given back, and why. */
  readonly notes: readonly RestoreNote[];
}

export type SavedOwner = Pick<Owned, 'uid' | 'gid' | 'permissions'> & { readonly userName: string; readonly groupName: string };

/**
 * Plans the wish before anything is made. What was named must be possible; what is merely to be as it was is given back where it can be, and noted
 * where not. OpenNebula asks for MANAGE on the new user and USE of the new group (RequestManagerChown.cc), which outside the group oneadmin only
 * access rules give.
 */
export async function ownershipPlanner(cloud: OneApi, wish: OwnershipWish, options: CallOptions): Promise<OwnershipPlanner> {
  const self = await cloud.whoAmI(options);
  const notes = new Map<string, RestoreNote>();
  const parties = new Parties(cloud, self, options);
  const named = {
    ...(wish.userId !== undefined && { userId: await parties.demand('USER', wish.userId) }),
    ...(wish.groupId !== undefined && { groupId: await parties.demand('GROUP', wish.groupId) }),
    ...(wish.permissions !== undefined && { permissions: parsePermissions(wish.permissions) }),
  };
  const asItWas = async (kind: 'USER' | 'GROUP', id: number, name: string): Promise<number | undefined> => {
    const why = await parties.whyNot(kind, id, name);
    if (why === undefined) return id;
    const what = kind === 'USER' ? 'owner' : 'group';
    notes.set(`${kind} ${id}`, { code: 'OWNERSHIP_NOT_GIVEN', message: `${what} ${name} (${id}) as it was saved is not given back: ${why}` });
    return undefined;
  };
  return {
    self,
    async transferOf(saved) {
      if (wish.asSaved !== true || saved === undefined) return named;
      const userId = named.userId ?? (await asItWas('USER', saved.uid, saved.userName));
      const groupId = named.groupId ?? (await asItWas('GROUP', saved.gid, saved.groupName));
      return { userId, groupId, permissions: named.permissions ?? permitted(self, saved.permissions) };
    },
    get notes() {
      return [...notes.values()];
    },
  };
}

/** Everybody who will own one of the objects, for a while or for good. */
export function ownersOf(self: User, transfers: readonly Transfer[]): ReadonlySet<number> {
  return new Set([self.id, ...transfers.flatMap(({ userId }) => userId ?? [])]);
}

/** ADMIN bits are changed by whoever has ADMIN: nobody but cloud administrators, on an object of their own (RequestManagerChmod.cc). */
function permitted(self: User, { owner, group, other }: Permissions): Permissions {
  if (isCloudAdmin(self)) return { owner, group, other };
  const plain = { admin: false };
  return { owner: { ...owner, ...plain }, group: { ...group, ...plain }, other: { ...other, ...plain } };
}

/** `640`: 4 use, 2 manage, 1 admin, for owner, group and others, as `onevm chmod` takes it. */
function parsePermissions(text: string): Permissions {
  if (!/^[0-7]{3}$/.test(text)) {
    throw new JobError({
      code: 'JOB_OWNERSHIP_INVALID',
      message: `'${text}' are no permissions`,
      hint: 'three octal digits for owner, group and others: 4 use, 2 manage, 1 admin; 640, say',
    });
  }
  const [owner, group, other] = Array.from(text, (digit) => ({
    use: (Number(digit) & 4) > 0,
    manage: (Number(digit) & 2) > 0,
    admin: (Number(digit) & 1) > 0,
  }));
  if (owner === undefined || group === undefined || other === undefined) throw new TypeError('three digits are three grants');
  return { owner, group, other };
}

/** Users and groups, each asked for once. */
class Parties {
  readonly #cloud: OneApi;
  readonly #self: User;
  readonly #options: CallOptions;
  readonly #known = new Map<string, Promise<{ readonly name: string; readonly gid: number } | 'gone' | 'unseen'>>();

  constructor(cloud: OneApi, self: User, options: CallOptions) {
    this.#cloud = cloud;
    this.#self = self;
    this.#options = options;
  }

  /** The id, when we may give an object to it. */
  async demand(kind: 'USER' | 'GROUP', id: number): Promise<number> {
    const why = await this.whyNot(kind, id);
    if (why === undefined) return id;
    throw new JobError({
      code: 'JOB_OWNERSHIP_INVALID',
      message: `${kind.toLowerCase()} ${id} cannot have what is restored: ${why}`,
      details: { kind, id },
      hint: 'OpenNebula lets members of the group oneadmin give objects away, and whoever an access rule gives MANAGE on the user and USE of the group',
    });
  }

  async whyNot(kind: 'USER' | 'GROUP', id: number, name?: string): Promise<string | undefined> {
    const self = this.#self;
    const party = await this.#read(kind, id);
    if (party === 'gone') return 'it does not exist';
    if (party !== 'unseen' && name !== undefined && party.name !== name) return `the number belongs to ${party.name} now`;
    if (isCloudAdmin(self) || (kind === 'USER' ? id === self.id : self.groupIds.includes(id))) return undefined;
    if (party === 'unseen') return 'the API user may not even see it';
    const verdict = mayDo(self, kind === 'USER' ? 'manage' : 'use', guarded(kind, id, party.gid), await this.#cloud.aclRules(this.#options));
    return verdict.may === 'yes' ? undefined : `the API user ${self.name} has no ${kind === 'USER' ? 'MANAGE right on it' : 'USE right for it'}`;
  }

  #read(kind: 'USER' | 'GROUP', id: number): Promise<{ readonly name: string; readonly gid: number } | 'gone' | 'unseen'> {
    const key = `${kind} ${id}`;
    const known = this.#known.get(key) ?? this.#ask(kind, id);
    this.#known.set(key, known);
    return known;
  }

  async #ask(kind: 'USER' | 'GROUP', id: number): Promise<{ readonly name: string; readonly gid: number } | 'gone' | 'unseen'> {
    try {
      if (kind === 'GROUP') return { name: (await this.#cloud.group(id, this.#options)).name, gid: id };
      return await this.#cloud.user(id, this.#options);
    } catch (error) {
      if (errorCode(error) === 'ONE_NO_EXISTS') return 'gone';
      if (errorCode(error) === 'ONE_AUTHORIZATION') return 'unseen';
      throw error;
    }
  }
}

const NOTHING = { use: false, manage: false, admin: false };

/** Nobody owns a user or a group: rules alone give rights to them. */
function guarded(kind: ResourceKind, id: number, gid: number) {
  return { kind, id, uid: -1, gid, permissions: { owner: NOTHING, group: NOTHING, other: NOTHING }, lock: undefined };
}
