import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { Point, RestoreChoices } from '../api/answers.ts';
import { call } from '../api/calls.ts';
import { useMay } from '../session/session.tsx';
import { Notice } from '../show/notice.tsx';
import { Loaded, Page, Panel } from '../show/page.tsx';
import { Steps, useFocusOnChange } from '../show/steps.tsx';
import { When } from '../show/when.tsx';
import { idIn } from '../vms/id-in.ts';
import { CheckStep } from './check-step.tsx';
import { PointStep } from './point-step.tsx';
import { beginForm, faultOf, type RestoreForm } from './restore-form.ts';
import { WhatStep } from './what-step.tsx';
import { WhereStep } from './where-step.tsx';

const route = getRouteApi('/restore');
const TITLES = ['Restore point', 'What', 'Where', 'Check and go'];

export function RestorePage() {
  const { vmId, repository, pointId, how } = route.useSearch();
  const operator = useMay('operator');
  const chosen = repository !== undefined && pointId !== undefined;
  return (
    <Page title="Restore" name="Restore">
      {!operator ? (
        <Notice tone="warn">Your role sees restore points and restores none. An administrator of onevault gives the role operator.</Notice>
      ) : chosen ? (
        <ChosenPoint key={`${repository} ${pointId}`} repository={repository} pointId={pointId} how={how} />
      ) : (
        <>
          <Steps titles={TITLES} current={0} />
          <PointStep vmId={idIn(vmId)} />
        </>
      )}
    </Page>
  );
}

function ChosenPoint({ repository, pointId, how }: { readonly repository: string; readonly pointId: string; readonly how: string | undefined }) {
  const params = { repository, pointId };
  const point = useQuery({ queryKey: ['point', repository, pointId], queryFn: ({ signal }) => call('getPoint', { params }, { signal }) });
  const choices = useQuery({ queryKey: ['restore-choices', repository, pointId], queryFn: ({ signal }) => call('restoreChoices', { params }, { signal }) });
  return <Loaded asked={point}>{(data) => <Loaded asked={choices}>{(offered) => <Wizard point={data} choices={offered} how={how} />}</Loaded>}</Loaded>;
}

function Wizard({ point, choices, how }: { readonly point: Point; readonly choices: RestoreChoices; readonly how: string | undefined }) {
  const [step, setStep] = useState(1);
  const [form, setForm] = useState(() => beginForm(how, choices.name));
  const change = (part: Partial<RestoreForm>): void => setForm((before) => ({ ...before, ...part }));
  const fault = faultOf(form);
  const steps = useFocusOnChange(step);
  return (
    <>
      <Steps titles={TITLES} current={step} ref={steps} />
      <Panel>
        <div className="ov-row">
          <span>
            <strong>{point.vmName}</strong> as it was at <When at={point.capturedAt} seconds />
          </span>
          <Link to="/restore" search={{ vmId: String(point.vmId) }}>
            another restore point
          </Link>
        </div>
        {point.damaged && <Notice tone="warn">This restore point is damaged. Choose another one if you can.</Notice>}
      </Panel>
      {step === 1 && <WhatStep point={point} form={form} onChange={change} choices={choices} />}
      {step === 2 && <WhereStep point={point} form={form} onChange={change} choices={choices} />}
      {step === 3 && <CheckStep point={point} form={form} />}
      {step < 3 && fault !== undefined && <Notice tone="warn">{fault}</Notice>}
      <div className="ov-actions">
        {step > 1 && <Button onClick={() => setStep(step - 1)}>Back</Button>}
        {step < 3 && (
          <Button variant="filled" onClick={() => setStep(step + 1)} disabled={fault !== undefined}>
            {step === 2 ? 'Check it' : 'Next'}
          </Button>
        )}
      </div>
    </>
  );
}
