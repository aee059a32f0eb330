import { z } from 'zod';
import { int, many, readObject, text } from './fields.ts';
import type { User } from './model.ts';

export interface Login {
  /** Disabled users are refused everything (UserPool::authenticate). */
  readonly enabled: boolean;
  /** Login tokens that are there: the user's own body has them in the clear, so keep this nowhere. */
  readonly tokens: readonly {
    readonly token: string;
    /** Unix seconds; -1: never. */
    readonly expiresAt: number;
    /** Whoever signs in with it is in this group alone; -1: in all of theirs (UserPool.cc, LoginToken.cc). */
    readonly groupId: number;
  }[];
}

const shape = z.object({ ENABLED: text.default('1'), LOGIN_TOKEN: many(z.object({ TOKEN: text, EXPIRATION_TIME: int, EGID: int })) }).transform(
  (raw): Login => ({
    enabled: raw.ENABLED !== '0',
    tokens: raw.LOGIN_TOKEN.map((one) => ({ token: one.TOKEN, expiresAt: one.EXPIRATION_TIME, groupId: one.EGID })),
  }),
);

/** What a user's body says about signing in (User::to_xml_extended). */
export function loginOf(user: Pick<User, 'xml'>): Login {
  return readObject(user.xml, 'USER', shape);
}
