import { Button, NativeSelect, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import type { Session, Token } from '../api/answers.ts';
import { call } from '../api/calls.ts';
import { useMay } from '../session/session.tsx';
import { Copyable } from '../show/copyable.tsx';
import { formatLocalDay } from '../show/format.ts';
import { Notice, ProblemNotice } from '../show/notice.tsx';
import { Empty, Loaded, Page, Panel } from '../show/page.tsx';
import { type Column, PlainTable } from '../show/plain-table.tsx';
import { TypedConfirm } from '../show/typed-confirm.tsx';
import { useAct } from '../show/use-act.ts';
import { When } from '../show/when.tsx';

const DAY = 86_400_000;

export function TokensPage() {
  const tokens = useQuery({ queryKey: ['tokens'], queryFn: ({ signal }) => call('listTokens', {}, { signal }) });
  const [ending, setEnding] = useState<Token>();
  const end = useAct((tokenId: string) => call('deleteToken', { params: { tokenId } }), {
    renews: ['tokens'],
    done: () => 'The token is ended',
    onDone: () => setEnding(undefined),
  });
  const columns: readonly Column<Token>[] = [
    { title: 'Name', cell: ({ name }) => name },
    { title: 'Of', cell: ({ owner }) => owner },
    { title: 'Role', cell: ({ role }) => role },
    { title: 'For', cell: ({ operations }) => operations?.join(', ') ?? 'all that the role may' },
    { title: 'Made', cell: ({ createdAt }) => <When at={createdAt} /> },
    { title: 'Last used', cell: ({ lastUsedAt }) => <When at={lastUsedAt} age /> },
    { title: 'Ends', cell: ({ expiresAt }) => <When at={expiresAt} /> },
    { title: 'Actions', quiet: true, cell: (token) => <Button onClick={() => setEnding(token)}>End</Button> },
  ];
  return (
    <Page title="API tokens" name="API tokens" lead="For scripts and the CLI: they act as you, with at most your role.">
      <NewToken />
      <Panel title="Tokens" flush>
        <Loaded asked={tokens}>
          {(all) => (all.length === 0 ? <Empty>None yet.</Empty> : <PlainTable label="tokens" columns={columns} rows={all} keyOf={({ id }) => id} />)}
        </Loaded>
      </Panel>
      <TypedConfirm
        opened={ending !== undefined}
        onClose={() => setEnding(undefined)}
        title={`End the token ${ending?.name ?? ''}`}
        verb="End it"
        pending={end.isPending}
        error={end.error}
        onConfirm={() => ending !== undefined && end.mutate(ending.id)}
      >
        What uses it is refused from now on.
      </TypedConfirm>
    </Page>
  );
}

function NewToken() {
  const operator = useMay('operator');
  const admin = useMay('admin');
  const roles: readonly Session['role'][] = admin ? ['viewer', 'operator', 'admin'] : operator ? ['viewer', 'operator'] : ['viewer'];
  const make = useAct((body: { name: string; role: Session['role']; expiresAt: string; operations?: string[] }) => call('createToken', { body }), {
    renews: ['tokens'],
  });
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget);
    const operations = String(fields.get('operations'))
      .split(/[\s,]+/)
      .filter((each) => each !== '');
    make.mutate({
      name: String(fields.get('name')),
      role: String(fields.get('role')) as Session['role'],
      expiresAt: new Date(`${String(fields.get('until'))}T23:59:59`).toISOString(),
      ...(operations.length > 0 && { operations }),
    });
  };
  return (
    <Panel title="Make a token">
      {make.data !== undefined && (
        <Notice tone="ok" title={`The secret of ${make.data.name}`} live>
          <Copyable text={make.data.secret} label="the secret" />
          <span>It is shown this once: the server keeps only its hash.</span>
        </Notice>
      )}
      <form className="ov-form" onSubmit={submit}>
        <div className="ov-form-line">
          <TextInput
            name="name"
            label="Name"
            required
            placeholder="nightly-report"
            pattern="[a-z0-9]([a-z0-9\-]{0,61}[a-z0-9])?"
            title="lower-case letters, digits and dashes"
          />
          <NativeSelect name="role" label="Role" data={[...roles]} />
          <TextInput name="until" label="Ends on" type="date" required defaultValue={formatLocalDay(new Date(Date.now() + 90 * DAY))} />
        </div>
        <details>
          <summary>More: only for some operations</summary>
          <TextInput name="operations" label="Operations" description="names from the OpenAPI document, such as metrics or listVms, separated by blanks" />
        </details>
        {make.error !== null && <ProblemNotice error={make.error} />}
        <div className="ov-actions">
          <Button type="submit" variant="filled" loading={make.isPending}>
            Make it
          </Button>
        </div>
      </form>
    </Panel>
  );
}
