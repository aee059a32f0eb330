import { Checkbox, Radio, TextInput } from '@mantine/core';
import type { Point, RestoreChoices } from '../api/answers.ts';
import { formatBytes } from '../show/format.ts';
import { Notice } from '../show/notice.tsx';
import { Panel } from '../show/page.tsx';
import type { RestoreForm } from './restore-form.ts';

interface StepProps {
  readonly form: RestoreForm;
  readonly onChange: (part: Partial<RestoreForm>) => void;
}

export function WhatStep({ point, form, onChange, choices }: StepProps & { readonly point: Point; readonly choices: RestoreChoices }) {
  return (
    <Panel title="What comes back">
      <div className="ov-form">
        <Radio.Group label="How" value={form.how} onChange={(how) => onChange({ how: how === 'in-place' ? 'in-place' : 'new' })}>
          <div className="ov-stack" style={{ gap: '0.4rem', marginTop: '0.3rem' }}>
            <Radio value="new" size="xs" label="As a new VM" description="the VM that is there is not touched" />
            <Radio value="in-place" size="xs" label="In place" description="the disks of the VM itself are exchanged; the old ones are kept as a way back" />
          </div>
        </Radio.Group>
        {form.how === 'new' ? <NewVm form={form} onChange={onChange} choices={choices} /> : <InPlace point={point} form={form} onChange={onChange} />}
      </div>
    </Panel>
  );
}

function NewVm({ form, onChange, choices }: StepProps & { readonly choices: RestoreChoices }) {
  const empty = choices.disks.filter(({ saved }) => !saved);
  return (
    <>
      <TextInput label="Name of the new VM" required value={form.name} maxLength={128} onChange={(event) => onChange({ name: event.currentTarget.value })} />
      {empty.length > 0 && (
        <Notice tone="info">{empty.map(({ diskId, target }) => `disk ${diskId} (${target})`).join(', ')} was not saved and comes back empty.</Notice>
      )}
    </>
  );
}

function InPlace({ point, form, onChange }: StepProps & { readonly point: Point }) {
  const chosen = form.disks.length === 0 ? point.disks.map(({ diskId }) => diskId) : form.disks;
  const toggle = (diskId: number): void => {
    const disks = chosen.includes(diskId) ? chosen.filter((each) => each !== diskId) : [...chosen, diskId];
    onChange({ disks: disks.length === point.disks.length ? [] : disks.toSorted((a, b) => a - b) });
  };
  return (
    <>
      <Notice tone="warn" title={`${point.vmName} itself is changed`}>
        New disks are made beside the old ones while it runs on; it is powered off while they are exchanged.
      </Notice>
      <fieldset className="ov-set">
        <legend>Disks that come back</legend>
        {point.disks.map(({ diskId, target, sizeBytes }) => (
          <Checkbox
            key={diskId}
            size="xs"
            label={`disk ${diskId} · ${target} · ${formatBytes(sizeBytes)}`}
            checked={chosen.includes(diskId)}
            disabled={chosen.length === 1 && chosen[0] === diskId}
            onChange={() => toggle(diskId)}
          />
        ))}
      </fieldset>
      <TextInput
        label="Keep the old disks for"
        description="until then `undo` brings the VM back as it is now; such as 7d, 36h"
        value={form.keepUndo}
        onChange={(event) => onChange({ keepUndo: event.currentTarget.value })}
      />
      <Checkbox
        size="xs"
        label="Write only what differs"
        description="the new disks begin as copies of those of the VM, made by the storage"
        checked={form.delta}
        onChange={(event) => onChange({ delta: event.currentTarget.checked })}
      />
      <details>
        <summary>More</summary>
        <div className="ov-form" style={{ marginTop: '0.6rem' }}>
          <Checkbox
            size="xs"
            label="Go on although snapshots of the disks are lost with them"
            checked={form.allowSnapshotLoss}
            onChange={(event) => onChange({ allowSnapshotLoss: event.currentTarget.checked })}
          />
          <Checkbox
            size="xs"
            label="Pull the plug if the guest does not stop"
            checked={form.hard}
            onChange={(event) => onChange({ hard: event.currentTarget.checked })}
          />
        </div>
      </details>
    </>
  );
}
