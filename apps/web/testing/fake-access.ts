import { randomBytes } from 'node:crypto';
import type { Answer } from '@onevault/api';
import type { FakeHandlers } from './fake-call.ts';
import type { FakeState } from './fake-state.ts';

const DAY = 86_400_000;

function sessionOf(state: FakeState, user: string): Answer<'whoAmI'> {
  const role = state.roles.get(user) ?? 'viewer';
  const expiresAt = new Date(state.now() + DAY).toISOString();
  return {
    user,
    userId: [...state.roles.keys()].indexOf(user),
    groups: role === 'admin' ? ['oneadmin'] : ['users'],
    role,
    csrfToken: `csrf-of-${user}`,
    expiresAt,
    version: '0.1.0',
  };
}

export function accessHandlers(state: FakeState): FakeHandlers {
  return {
    signInOptions: () => ({ password: true }),
    signIn: ({ body }) => sessionOf(state, body.user),
    whoAmI: ({ user }) => sessionOf(state, user),
    signOut: () => undefined,
    listUsers: () =>
      [...state.roles].map(([name, role], index) => ({
        name,
        role,
        because: name === 'oneadmin' ? 'oneadmin' : 'given',
        ...(index < 2 && { lastSignInAt: new Date(state.now() - index * DAY).toISOString() }),
      })),
    setRole: ({ params, body }) => void state.roles.set(String(params['user']), body.role),
    listTokens: ({ user, role }) => [...state.tokens.values()].filter(({ owner }) => role === 'admin' || owner === user),
    createToken: ({ body, user }) => {
      const id = `t-${state.tokens.size + 1}`;
      const token = { ...body, id, owner: user, createdAt: new Date(state.now()).toISOString() };
      state.tokens.set(id, token);
      return { ...token, secret: `ov_${randomBytes(20).toString('base64url')}` };
    },
    deleteToken: ({ params }) => void state.tokens.delete(String(params['tokenId'])),
    readAudit: ({ query }) => {
      const fits = ({ seq, actor, action }: Answer<'readAudit'>[number]): boolean =>
        (query['beforeSeq'] === undefined || seq < Number(query['beforeSeq'])) &&
        (query['actor'] === undefined || actor.name === query['actor']) &&
        (query['action'] === undefined || action === query['action']);
      return state.audit.toReversed().filter(fits).slice(0, Number(query['limit']));
    },
    verifyAudit: () => {
      const head = state.audit.at(-1);
      return { records: state.audit.length, ...(head !== undefined && { head: { seq: head.seq, hash: head.hash } }) };
    },
  };
}
