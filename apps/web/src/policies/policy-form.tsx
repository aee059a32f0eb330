import { Button, Checkbox, NativeSelect, Switch, Textarea, TextInput } from '@mantine/core';
import type { ReactNode } from 'react';
import { COUNT_RULES, linesOf, listIn, numberIn, type PolicyDoc, RETENTION_TEMPLATES, recordIn, retentionText, textOf, withField } from './policy-document.ts';
import { ScheduleFields } from './schedule-fields.tsx';

export interface FormProps {
  readonly doc: PolicyDoc;
  readonly onChange: (doc: PolicyDoc) => void;
}

export function PolicyForm({ doc, repositories, isNew, onChange }: FormProps & { readonly repositories: readonly string[]; readonly isNew: boolean }) {
  const set = (path: readonly string[], value: unknown): void => onChange(withField(doc, path, value));
  return (
    <div className="ov-form">
      <div className="ov-form-line">
        <TextInput
          label="Name"
          required
          readOnly={!isNew}
          value={doc.name}
          onChange={(event) => set(['name'], event.currentTarget.value)}
          placeholder="nightly"
        />
        {doc.kind === 'backup' && (
          <NativeSelect
            label="Repository"
            data={[...new Set([textOf(doc, ['repository']), ...repositories])]}
            value={textOf(doc, ['repository'])}
            onChange={(event) => set(['repository'], event.currentTarget.value)}
          />
        )}
      </div>
      <TextInput
        label="Description"
        value={textOf(doc, ['description'])}
        onChange={(event) => set(['description'], event.currentTarget.value === '' ? undefined : event.currentTarget.value)}
      />
      <Switch size="xs" label="On" checked={doc['enabled'] !== false} onChange={(event) => set(['enabled'], event.currentTarget.checked ? undefined : false)} />
      <Selection doc={doc} onChange={onChange} />
      <ScheduleFields doc={doc} onChange={onChange} />
      {doc.kind === 'backup' ? <Retention doc={doc} onChange={onChange} /> : <Keeping doc={doc} onChange={onChange} />}
      <Advanced doc={doc} onChange={onChange} />
    </div>
  );
}

function FieldSet({ legend, children }: { readonly legend: string; readonly children: ReactNode }) {
  return (
    <fieldset className="ov-set">
      <legend>{legend}</legend>
      {children}
    </fieldset>
  );
}

function Selection({ doc, onChange }: FormProps) {
  return (
    <FieldSet legend="Which VMs">
      <Textarea
        label="Any of these"
        description="a selector a line: *, label=prod, name=web-* and group!=test, id=12..20"
        autosize
        minRows={2}
        value={linesOf(doc, ['select', 'include'])}
        onChange={(event) => onChange(withField(doc, ['select', 'include'], event.currentTarget.value.split('\n')))}
        onBlur={(event) => onChange(withField(doc, ['select', 'include'], listIn(event.currentTarget.value)))}
      />
      <Textarea
        label="And none of these"
        autosize
        minRows={1}
        value={linesOf(doc, ['select', 'exclude'])}
        onChange={(event) => onChange(withField(doc, ['select', 'exclude'], event.currentTarget.value.split('\n')))}
        onBlur={(event) => onChange(withField(doc, ['select', 'exclude'], listIn(event.currentTarget.value)))}
      />
    </FieldSet>
  );
}

function Retention({ doc, onChange }: FormProps) {
  const retention = recordIn(doc['retention']);
  const none = Object.keys(retention).length === 0;
  return (
    <FieldSet legend="How long restore points stay">
      <div className="ov-actions ov-wraps">
        {RETENTION_TEMPLATES.map(({ title, retention: template }) => (
          <Button key={title} size="compact-xs" onClick={() => onChange(withField(doc, ['retention'], template))}>
            {title}
          </Button>
        ))}
        {!none && (
          <Button size="compact-xs" onClick={() => onChange(withField(doc, ['retention'], undefined))}>
            for ever
          </Button>
        )}
      </div>
      <div className="ov-form-line">
        {COUNT_RULES.map(([rule, word]) => (
          <TextInput
            key={rule}
            label={word}
            inputMode="numeric"
            style={{ flex: '1 1 4.5rem' }}
            value={textOf(doc, ['retention', rule])}
            onChange={(event) => onChange(withField(doc, ['retention', rule], numberIn(event.currentTarget.value)))}
          />
        ))}
      </div>
      <TextInput
        label="All of the last"
        description="measured from the newest point, such as 3d"
        value={textOf(doc, ['retention', 'keepWithin'])}
        onChange={(event) => onChange(withField(doc, ['retention', 'keepWithin'], event.currentTarget.value === '' ? undefined : event.currentTarget.value))}
      />
      <span className="ov-dim">{retentionText(retention)}</span>
    </FieldSet>
  );
}

function Keeping({ doc, onChange }: FormProps) {
  return (
    <FieldSet legend="How many stay">
      <div className="ov-form-line">
        <TextInput
          label="Newest"
          inputMode="numeric"
          value={textOf(doc, ['keep'])}
          onChange={(event) => onChange(withField(doc, ['keep'], numberIn(event.currentTarget.value)))}
        />
        <TextInput
          label="At most so old"
          placeholder="3d"
          value={textOf(doc, ['maxAge'])}
          onChange={(event) => onChange(withField(doc, ['maxAge'], event.currentTarget.value === '' ? undefined : event.currentTarget.value))}
        />
      </div>
    </FieldSet>
  );
}

/** What most policies leave as it is. */
function Advanced({ doc, onChange }: FormProps) {
  const text = (
    label: string,
    path: readonly string[],
    description: string,
    read: (value: string) => unknown = (value) => (value === '' ? undefined : value),
  ) => (
    <TextInput
      label={label}
      description={description}
      value={textOf(doc, path)}
      onChange={(event) => onChange(withField(doc, path, read(event.currentTarget.value)))}
    />
  );
  return (
    <details>
      <summary>More: RPO, disks, retries</summary>
      <div className="ov-form" style={{ marginTop: '0.6rem' }}>
        {doc.kind === 'backup' && (
          <>
            {text('RPO', ['rpo'], 'greatest age of the newest good restore point, such as 26h; else twice the longest time between two runs')}
            <NativeSelect
              label="Capture"
              data={['auto', 'snapshot', 'live-copy', 'offline']}
              value={textOf(doc, ['capture']) || 'auto'}
              onChange={(event) => onChange(withField(doc, ['capture'], event.currentTarget.value === 'auto' ? undefined : event.currentTarget.value))}
            />
            <Textarea
              label="Disks left out"
              description="a line each: 2, vdb, image=*-scratch"
              autosize
              value={linesOf(doc, ['excludeDisks'])}
              onChange={(event) => onChange(withField(doc, ['excludeDisks'], event.currentTarget.value.split('\n')))}
              onBlur={(event) => onChange(withField(doc, ['excludeDisks'], listIn(event.currentTarget.value)))}
            />
            <Checkbox
              size="xs"
              label="Write how it stands into the VM’s USER_TEMPLATE"
              checked={doc['writeBack'] === true}
              onChange={(event) => onChange(withField(doc, ['writeBack'], event.currentTarget.checked ? true : undefined))}
            />
          </>
        )}
        {text('Priority', ['priority'], '0 to 100; higher goes first', numberIn)}
        <div className="ov-form-line">
          {text('Retries', ['retry', 'times'], 'after a failure that may pass', numberIn)}
          {text('After', ['retry', 'after'], 'such as 10m')}
        </div>
      </div>
    </details>
  );
}
