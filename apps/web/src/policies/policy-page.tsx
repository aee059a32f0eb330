import { Button } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconTrash } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import type { PolicySummary } from '../api/answers.ts';
import { call } from '../api/calls.ts';
import { RecentRuns } from '../runs/recent-runs.tsx';
import { useMay } from '../session/session.tsx';
import { Notice } from '../show/notice.tsx';
import { Loaded, Page } from '../show/page.tsx';
import { MissingPage, ProblemPage } from '../show/problem-page.tsx';
import { Status } from '../show/status.tsx';
import { TypedConfirm } from '../show/typed-confirm.tsx';
import { useAct } from '../show/use-act.ts';
import { newPolicy, type PolicyDoc } from './policy-document.ts';
import { PolicyEditor } from './policy-editor.tsx';
import { RetentionCalendar } from './retention-calendar.tsx';

const editRoute = getRouteApi('/policies/$name');
const newRoute = getRouteApi('/policies/new');

const AMONG = { to: '/policies', text: 'All policies' } as const;

export function NewPolicyPage() {
  const kind = newRoute.useSearch().kind === 'snapshot' ? 'snapshot' : 'backup';
  const navigate = useNavigate();
  const repositories = useQuery({ queryKey: ['repositories'], queryFn: ({ signal }) => call('listRepositories', {}, { signal }) });
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  return (
    <Page title={`New ${kind} policy`} name="New policy">
      <Loaded asked={repositories}>
        {(all) => (
          <>
            {kind === 'backup' && all.length === 0 && <Notice tone="warn">There is no repository yet: a backup policy needs one.</Notice>}
            <PolicyEditor
              key={`${kind} ${all[0]?.name}`}
              initial={newPolicy(kind, all[0]?.name, timeZone)}
              repositories={all.map(({ name }) => name)}
              isNew
              onSaved={({ name }) => void navigate({ to: '/policies/$name', params: { name } })}
            />
          </>
        )}
      </Loaded>
    </Page>
  );
}

export function PolicyPage() {
  const { name } = editRoute.useParams();
  const admin = useMay('admin');
  const policies = useQuery({ queryKey: ['policies'], queryFn: ({ signal }) => call('listPolicies', {}, { signal }) });
  const repositories = useQuery({ queryKey: ['repositories'], queryFn: ({ signal }) => call('listRepositories', {}, { signal }) });
  if (policies.isLoadingError) return <ProblemPage what="policy" named={name} among={AMONG} error={policies.error} onRetry={() => void policies.refetch()} />;
  const policy = policies.data?.find((each) => each.name === name);
  if (policies.data !== undefined && policy === undefined) return <MissingPage what="policy" named={name} among={AMONG} />;
  return (
    <Page title={name} name={name} lead="a policy" actions={admin && policy !== undefined && <RemovePolicy name={name} />}>
      <Loaded asked={{ data: policy, error: policies.error, refetch: policies.refetch }}>
        {(known) => (
          <>
            {!known.enabled && (
              <Notice tone="warn">
                <Status tone="off">It is off: nothing runs by itself.</Status>
              </Notice>
            )}
            <PolicyEditor key={name} initial={documentOf(known)} repositories={(repositories.data ?? []).map((each) => each.name)} readOnly={!admin} />
            {known.kind === 'backup' && <RetentionCalendar name={name} document={documentOf(known)} />}
            <RecentRuns policy={name} title="Runs that its schedule began" />
          </>
        )}
      </Loaded>
    </Page>
  );
}

function documentOf({ document, kind, name }: PolicySummary): PolicyDoc {
  return { ...document, kind, name };
}

function RemovePolicy({ name }: { readonly name: string }) {
  const navigate = useNavigate();
  const [opened, confirm] = useDisclosure(false);
  const remove = useAct(() => call('deletePolicy', { params: { name } }), {
    renews: ['policies', 'overview', 'vms'],
    done: () => `The policy ${name} is gone`,
    onDone: () => void navigate({ to: '/policies' }),
  });
  return (
    <>
      <Button leftSection={<IconTrash size={14} />} onClick={confirm.open}>
        Remove
      </Button>
      <TypedConfirm
        opened={opened}
        onClose={confirm.close}
        title={`Remove the policy ${name}`}
        word={name}
        verb="Remove it"
        pending={remove.isPending}
        error={remove.error}
        onConfirm={() => remove.mutate(undefined)}
      >
        Nothing runs for it any more, and its retention removes nothing any more. Restore points stay.
      </TypedConfirm>
    </>
  );
}
