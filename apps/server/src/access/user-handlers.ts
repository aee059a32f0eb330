import type { accessSchemas, Role } from '@onevault/api';
import type { z } from 'zod';
import { compareNames } from '../compare-names.ts';
import { notFound, ServerError } from '../errors.ts';
import type { Call, HandlerTable } from '../ports/call.ts';
import type { Access } from './access.ts';
import { roleOf } from './roles.ts';

const ONEADMIN_GROUP = 0;
/** Sign-ins of before this process began, as far as they are worth a look into the audit log. */
const SIGN_INS_READ = 1_000;

export function userHandlers(access: Access): HandlerTable {
  const { cloud, settings, audit } = access.deps;
  let before: Promise<ReadonlyMap<string, Date>> | undefined;

  async function earlierSignIns(): Promise<ReadonlyMap<string, Date>> {
    const records = await audit.read({ limit: SIGN_INS_READ, matches: ({ action, outcome }) => action === 'signIn' && outcome === 'ok' });
    return new Map(records.toReversed().map(({ actor, time }) => [actor.name, new Date(time)]));
  }

  return {
    listUsers: async ({ signal }: Call) => {
      before ??= earlierSignIns();
      const [users, oneadmin, earlier] = await Promise.all([cloud.users({ signal }), cloud.group(ONEADMIN_GROUP, { signal }), before]);
      return users
        .map(({ id, name }): z.input<typeof accessSchemas.user> => {
          const groupIds = oneadmin.userIds.includes(id) ? [ONEADMIN_GROUP] : [];
          const last = access.signingIn.lastSignIn(name) ?? earlier.get(name);
          return { name, ...roleOf(settings.current(), { id, name, groupIds }), ...(last && { lastSignInAt: last.toISOString() }) };
        })
        .sort((a, b) => compareNames(a.name, b.name));
    },
    setRole: async ({ caller, params, body, signal }: Call<{ readonly user: string }, unknown, { readonly role: Role }>) => {
      if (params.user === caller.user) throw ownRole();
      const users = await cloud.users({ signal });
      if (!users.some(({ name }) => name === params.user)) throw notFound('user in OpenNebula');
      await settings.setRole(params.user, body.role);
    },
  };
}

function ownRole(): ServerError {
  return new ServerError({
    code: 'SERVER_SETTINGS_CONFLICT',
    message: 'nobody changes their own role',
    hint: 'Let another administrator do it: so there is always one left',
  });
}
