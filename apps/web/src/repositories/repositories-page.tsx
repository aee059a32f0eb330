import { Button, Menu } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconPlus } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { Repository } from '../api/answers.ts';
import { call } from '../api/calls.ts';
import { RecentRuns } from '../runs/recent-runs.tsx';
import { useMay } from '../session/session.tsx';
import { Copyable } from '../show/copyable.tsx';
import { Notice, ProblemNotice } from '../show/notice.tsx';
import { Empty, Facts, Loaded, Page, Panel } from '../show/page.tsx';
import { TypedConfirm } from '../show/typed-confirm.tsx';
import { newKey, useAct, useStartRun } from '../show/use-act.ts';
import { When } from '../show/when.tsx';
import { DrillsPanel } from './drills-panel.tsx';
import { RepositoryForm } from './repository-form.tsx';
import { StorageBar } from './storage-bar.tsx';

export function RepositoriesPage() {
  const admin = useMay('admin');
  const [adding, add] = useDisclosure(false);
  const repositories = useQuery({ queryKey: ['repositories'], queryFn: ({ signal }) => call('listRepositories', {}, { signal }), refetchInterval: 60_000 });
  return (
    <Page
      title="Repositories"
      name="Repositories"
      lead="Where restore points are kept."
      actions={
        admin && (
          <Button variant="filled" leftSection={<IconPlus size={14} />} onClick={add.toggle} aria-expanded={adding}>
            Add one
          </Button>
        )
      }
    >
      {adding && (
        <Panel title="Another repository">
          <RepositoryForm onDone={add.close} />
        </Panel>
      )}
      <Loaded asked={repositories}>
        {(all) => (
          <>
            {all.length === 0 && (
              <Panel>
                <Empty>There is none yet.</Empty>
              </Panel>
            )}
            {all.map((repository) => (
              <RepositoryPanel key={repository.name} repository={repository} />
            ))}
            <DrillsPanel repositories={all.filter(({ reachable }) => reachable).map(({ name }) => name)} />
          </>
        )}
      </Loaded>
      <RecentRuns kind="verify" title="Verifications" />
      <RecentRuns kind="gc" title="Garbage collections" />
    </Page>
  );
}

function RepositoryPanel({ repository }: { readonly repository: Repository }) {
  const { name, place, encrypted, reachable, lastVerifyAt, damagedPoints, maintenance } = repository;
  return (
    <Panel title={name} actions={<RepositoryActions repository={repository} />}>
      {!reachable && (
        <Notice tone="warn">It does not answer. What is shown is what was last known; nothing of it is lost, and nothing is removed meanwhile.</Notice>
      )}
      <StorageBar repository={repository} />
      <Facts
        facts={[
          place === undefined ? undefined : ['Place', <Copyable key="p" text={place} label="the place" />],
          ['Encrypted', encrypted ? 'yes' : 'no'],
          ['Verified', lastVerifyAt === undefined ? 'never' : <When key="v" at={lastVerifyAt} age />],
          damagedPoints === undefined ? undefined : ['Damaged', damagedPoints],
          maintenance === undefined
            ? undefined
            : ['Looked after', `verify ${maintenance.verify} (${maintenance.verifyMode}), gc ${maintenance.gc}, ${maintenance.timezone}`],
        ]}
      />
    </Panel>
  );
}

const VERIFIES = [
  ['structure', 'Structure: is all of it there'],
  ['sample', 'A sample: read some of it back'],
  ['all', 'All: read everything back'],
] as const;

function RepositoryActions({ repository: { name, reachable } }: { readonly repository: Repository }) {
  const operator = useMay('operator');
  const admin = useMay('admin');
  const [key, setKey] = useState(newKey);
  const [changing, change] = useDisclosure(false);
  const [removing, confirm] = useDisclosure(false);
  const start = useStartRun();
  const remove = useAct(() => call('deleteRepository', { params: { name } }), {
    renews: ['repositories', 'overview'],
    done: () => `${name} is no longer known here`,
    onDone: confirm.close,
  });
  if (!operator) return null;
  return (
    <>
      <Menu position="bottom-end">
        <Menu.Target>
          <Button disabled={!reachable} loading={start.isPending}>
            Verify
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          {VERIFIES.map(([mode, text]) => (
            <Menu.Item
              key={mode}
              onClick={() => start.mutate({ request: { kind: 'verify', repository: name, mode }, key }, { onSettled: () => setKey(newKey()) })}
            >
              {text}
            </Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
      {admin && (
        <>
          <Button
            disabled={!reachable}
            onClick={() => start.mutate({ request: { kind: 'gc', repository: name }, key }, { onSettled: () => setKey(newKey()) })}
            title="gives the space of forgotten restore points back"
          >
            Collect garbage
          </Button>
          <Button onClick={change.toggle} aria-expanded={changing}>
            Change
          </Button>
          <Button onClick={confirm.open}>Forget it</Button>
        </>
      )}
      {start.error !== null && <ProblemNotice error={start.error} />}
      {changing && <RepositoryChange name={name} onDone={change.close} />}
      <TypedConfirm
        opened={removing}
        onClose={confirm.close}
        title={`Forget where ${name} is`}
        word={name}
        verb="Forget it"
        pending={remove.isPending}
        error={remove.error}
        onConfirm={() => remove.mutate(undefined)}
      >
        The server no longer knows the repository. Nothing in it is touched: added again, all of its restore points are back.
      </TypedConfirm>
    </>
  );
}

function RepositoryChange({ name, onDone }: { readonly name: string; readonly onDone: () => void }) {
  const known = useQuery({ queryKey: ['repositories'], queryFn: ({ signal }) => call('listRepositories', {}, { signal }) }).data?.find(
    (each) => each.name === name,
  );
  return known === undefined ? null : <RepositoryForm known={known} onDone={onDone} />;
}
