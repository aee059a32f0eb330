import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { call } from '../api/calls.ts';
import { Findings } from '../infrastructure/findings.tsx';
import { newPolicy } from '../policies/policy-document.ts';
import { PolicyEditor } from '../policies/policy-editor.tsx';
import { RepositoryForm } from '../repositories/repository-form.tsx';
import { StorageBar } from '../repositories/storage-bar.tsx';
import { useMay } from '../session/session.tsx';
import { plural } from '../show/format.ts';
import { Notice } from '../show/notice.tsx';
import { Loaded, Page, Panel } from '../show/page.tsx';
import { Steps } from '../show/steps.tsx';

const TITLES = ['Repository', 'Proxy and checks', 'First policy'];

/** From nothing to backups that come by themselves: where to, whether it would work, what and when. */
export function SetupPage() {
  const admin = useMay('admin');
  const [step, setStep] = useState(0);
  return (
    <Page title="Set up onevault" name="Set up">
      <Steps titles={TITLES} current={step} />
      {!admin && <Notice tone="warn">An administrator of onevault does this.</Notice>}
      {admin && step === 0 && <RepositoryStep onNext={() => setStep(1)} />}
      {admin && step === 1 && <CheckStep onNext={() => setStep(2)} onBack={() => setStep(0)} />}
      {admin && step === 2 && <PolicyStep onBack={() => setStep(1)} />}
    </Page>
  );
}

function RepositoryStep({ onNext }: { readonly onNext: () => void }) {
  const repositories = useQuery({ queryKey: ['repositories'], queryFn: ({ signal }) => call('listRepositories', {}, { signal }) });
  return (
    <Loaded asked={repositories}>
      {(all) => (
        <>
          {all.length > 0 && (
            <Panel title="What is there">
              {all.map((repository) => (
                <StorageBar key={repository.name} repository={repository} />
              ))}
            </Panel>
          )}
          {all.length === 0 && (
            <Panel title="Where restore points are kept">
              <RepositoryForm onDone={onNext} />
            </Panel>
          )}
          {all.length > 0 && (
            <div className="ov-actions">
              <Button variant="filled" onClick={onNext}>
                Next
              </Button>
            </div>
          )}
        </>
      )}
    </Loaded>
  );
}

function CheckStep({ onNext, onBack }: { readonly onNext: () => void; readonly onBack: () => void }) {
  const proxies = useQuery({ queryKey: ['proxies'], queryFn: ({ signal }) => call('listProxies', {}, { signal }), refetchInterval: 5000 });
  const findings = useQuery({ queryKey: ['doctor'], queryFn: ({ signal }) => call('doctor', {}, { signal }), staleTime: 60_000 });
  const ready = (proxies.data ?? []).filter(({ state }) => state !== 'lost');
  const errors = (findings.data ?? []).filter(({ severity }) => severity === 'error').length;
  return (
    <>
      <Panel title="Proxy">
        <Loaded asked={proxies}>
          {() =>
            ready.length === 0 ? (
              <Notice tone="warn" title="No proxy VM is ready yet">
                The disks of VMs are read in a proxy VM: a VM of this cloud in which a worker runs.
              </Notice>
            ) : (
              <Notice tone="ok">
                {ready
                  .map(
                    ({ name, vmId, datastores }) =>
                      `${name}${vmId === undefined ? '' : ` (VM ${vmId})`} reaches ${plural(datastores.filter(({ reachable }) => reachable).length, 'datastore')}`,
                  )
                  .join('; ')}
              </Notice>
            )
          }
        </Loaded>
      </Panel>
      <Panel title="Doctor" flush>
        <Loaded asked={findings}>{(all) => <Findings findings={all} />}</Loaded>
      </Panel>
      {errors > 0 && (
        <Notice tone="warn">
          You can go on, but a backup would fail until the {plural(errors, 'error')} above {errors === 1 ? 'is' : 'are'} mended.
        </Notice>
      )}
      <div className="ov-actions">
        <Button onClick={onBack}>Back</Button>
        <Button onClick={() => void findings.refetch()} loading={findings.isFetching}>
          Look again
        </Button>
        <Button variant="filled" onClick={onNext}>
          Next
        </Button>
      </div>
    </>
  );
}

function PolicyStep({ onBack }: { readonly onBack: () => void }) {
  const navigate = useNavigate();
  const repositories = useQuery({ queryKey: ['repositories'], queryFn: ({ signal }) => call('listRepositories', {}, { signal }) });
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  return (
    <Loaded asked={repositories}>
      {(all) => (
        <>
          <PolicyEditor
            // The repository of the step before may not be in the list that is at hand.
            key={all[0]?.name}
            initial={{ ...newPolicy('backup', all[0]?.name, timeZone), name: 'nightly' }}
            repositories={all.map(({ name }) => name)}
            isNew
            onSaved={({ name }) => void navigate({ to: '/policies/$name', params: { name } })}
          />
          <div className="ov-actions">
            <Button onClick={onBack}>Back</Button>
          </div>
        </>
      )}
    </Loaded>
  );
}
