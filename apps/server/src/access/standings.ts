import type { Clock } from '@onevault/base';
import { type AclRule, isOneError, loginOf, type OneApi } from '@onevault/one-client';
import { ServerError } from '../errors.ts';

/** Who a user is in OpenNebula and which rules there are: all that their rights follow from. */
export interface Standing {
  readonly user: { readonly id: number; readonly name: string; readonly gid: number; readonly groupIds: readonly number[] };
  /** Names of groups by id. */
  readonly groupNames: ReadonlyMap<number, string>;
  readonly rules: readonly AclRule[];
}

type Cloud = Pick<OneApi, 'user' | 'groups' | 'aclRules'>;

export interface StandingsDeps {
  readonly cloud: Cloud;
  readonly clock: Clock;
}

/** What OpenNebula says is believed for a minute: a right that is taken away there is gone here a minute later. */
const FRESH_MS = 60_000;
/** A cloud that is away changes no rights either; after an hour nobody knows. */
const USABLE_MS = 3_600_000;
const MAX_USERS = 5_000;

/** Standings of users, read with the server's own credentials, so that a token needs no password. */
export class Standings {
  readonly #deps: StandingsDeps;
  readonly #users = new Map<number, Remembered<Standing['user']>>();
  #shared: Remembered<Pick<Standing, 'groupNames' | 'rules'>> | undefined;

  constructor(deps: StandingsDeps) {
    this.#deps = deps;
  }

  /** Throws SERVER_NOT_SIGNED_IN for a user that OpenNebula does not have or has disabled, and what the cloud throws when it cannot be asked. */
  async of(userId: number): Promise<Standing> {
    const { cloud } = this.#deps;
    this.#shared ??= new Remembered(this.#deps.clock, () => readShared(cloud));
    let user = this.#users.get(userId);
    this.#users.delete(userId);
    user ??= new Remembered(this.#deps.clock, () => readUser(cloud, userId));
    this.#users.set(userId, user);
    if (this.#users.size > MAX_USERS) this.#users.delete(this.#users.keys().next().value ?? userId);
    const [own, shared] = await Promise.all([user.get(), this.#shared.get()]);
    return { user: own, ...shared };
  }

  /** The next question goes to OpenNebula. */
  forget(userId: number): void {
    this.#users.delete(userId);
  }
}

async function readShared(cloud: Cloud): Promise<Pick<Standing, 'groupNames' | 'rules'>> {
  const [groups, rules] = await Promise.all([cloud.groups(), cloud.aclRules()]);
  return { groupNames: new Map(groups.map(({ id, name }) => [id, name])), rules };
}

async function readUser(cloud: Cloud, userId: number): Promise<Standing['user']> {
  const user = await cloud.user(userId).catch((error: unknown) => {
    throw isOneError(error, 'ONE_NO_EXISTS') ? noLonger(error) : error;
  });
  if (!loginOf(user).enabled) throw noLonger();
  return { id: user.id, name: user.name, gid: user.gid, groupIds: user.groupIds };
}

function noLonger(cause?: unknown): ServerError {
  return new ServerError({ code: 'SERVER_NOT_SIGNED_IN', message: 'OpenNebula has no such user any more, or has disabled it', cause });
}

/** A value that is read again when it is old; several who ask at once share one reading. */
class Remembered<T> {
  readonly #clock: Clock;
  readonly #read: () => Promise<T>;
  #value: { readonly value: T; readonly atMs: number } | undefined;
  #reading: Promise<T> | undefined;

  constructor(clock: Clock, read: () => Promise<T>) {
    this.#clock = clock;
    this.#read = read;
  }

  async get(): Promise<T> {
    const age = this.#value === undefined ? Number.POSITIVE_INFINITY : this.#clock.monotonicMs() - this.#value.atMs;
    if (this.#value !== undefined && age < FRESH_MS) return this.#value.value;
    this.#reading ??= this.#refresh();
    try {
      return await this.#reading;
    } catch (error) {
      if (this.#value === undefined || age > USABLE_MS || !isAway(error)) throw error;
      return this.#value.value;
    }
  }

  async #refresh(): Promise<T> {
    try {
      const value = await this.#read();
      this.#value = { value, atMs: this.#clock.monotonicMs() };
      return value;
    } finally {
      this.#reading = undefined;
    }
  }
}

/** OpenNebula said nothing, rather than no. */
export function isAway(error: unknown): boolean {
  return ['ONE_UNREACHABLE', 'ONE_TIMEOUT', 'ONE_HTTP_STATUS'].some((code) => isOneError(error, code as 'ONE_UNREACHABLE'));
}
