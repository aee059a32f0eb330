import { NativeSelect } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { Session, User } from '../api/answers.ts';
import { call } from '../api/calls.ts';
import { useSession } from '../session/session.tsx';
import { ProblemNotice } from '../show/notice.tsx';
import { Loaded, Page, Panel } from '../show/page.tsx';
import { type Column, PlainTable } from '../show/plain-table.tsx';
import { useAct } from '../show/use-act.ts';
import { When } from '../show/when.tsx';

const ROLES = [
  { value: 'viewer', label: 'viewer: sees' },
  { value: 'operator', label: 'operator: backs up, restores' },
  { value: 'admin', label: 'admin: all of it' },
];
const BECAUSE = { given: 'given by name', oneadmin: 'is in the group oneadmin', default: 'what everybody has' } as const;

export function UsersPage() {
  const { user: me } = useSession();
  const users = useQuery({ queryKey: ['users'], queryFn: ({ signal }) => call('listUsers', {}, { signal }) });
  const change = useAct(({ user, role }: { user: string; role: Session['role'] }) => call('setRole', { params: { user }, body: { role } }), {
    renews: ['users'],
    done: (_, { user, role }) => `${user} is ${role} from now on`,
  });
  const columns: readonly Column<User>[] = [
    { title: 'User', cell: ({ name }) => (name === me ? `${name} (you)` : name) },
    {
      title: 'Role',
      cell: ({ name, role }) => (
        <NativeSelect
          aria-label={`role of ${name}`}
          data={role === 'none' ? [{ value: 'none', label: 'none: may not sign in' }, ...ROLES] : ROLES}
          value={role}
          disabled={change.isPending}
          onChange={(event) => change.mutate({ user: name, role: event.currentTarget.value as Session['role'] })}
        />
      ),
    },
    { title: 'Because', cell: ({ because }) => BECAUSE[because] },
    { title: 'Last sign-in', cell: ({ lastSignInAt }) => <When at={lastSignInAt} age /> },
  ];
  return (
    <Page
      title="Users"
      name="Users"
      lead="Users are OpenNebula’s. A role says what one may do here; what one sees and touches is what OpenNebula lets one see and touch."
    >
      {change.error !== null && <ProblemNotice error={change.error} />}
      <Panel flush>
        <Loaded asked={users}>{(all) => <PlainTable label="users" columns={columns} rows={all} keyOf={({ name }) => name} />}</Loaded>
      </Panel>
    </Page>
  );
}
