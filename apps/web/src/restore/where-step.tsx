import { Checkbox, NativeSelect } from '@mantine/core';
import type { Point, RestoreChoices } from '../api/answers.ts';
import { formatBytes } from '../show/format.ts';
import { Notice } from '../show/notice.tsx';
import { Panel } from '../show/page.tsx';
import type { RestoreForm } from './restore-form.ts';

interface StepProps {
  readonly form: RestoreForm;
  readonly onChange: (part: Partial<RestoreForm>) => void;
  readonly choices: RestoreChoices;
}

const MIB = 1024 * 1024;

export function WhereStep({ form, onChange, choices, point }: StepProps & { readonly point: Point }) {
  if (form.how === 'in-place')
    return (
      <Panel title="Where">
        <Notice tone="info">In place: the disks of {point.vmName} stay in their datastores, the VM keeps its networks and its definition.</Notice>
      </Panel>
    );
  return (
    <Panel title="Where it goes">
      <div className="ov-form">
        <Datastores form={form} onChange={onChange} choices={choices} />
        <NativeSelect
          label="Network interfaces"
          data={[
            { value: '', label: 'as the server advises' },
            { value: 'keep', label: 'keep them with their addresses' },
            { value: 'new-addresses', label: 'keep them, with new addresses' },
            { value: 'none', label: 'without networks' },
          ]}
          value={form.nics}
          onChange={(event) => onChange({ nics: event.currentTarget.value as RestoreForm['nics'] })}
        />
        {form.nics !== 'none' && <Networks form={form} onChange={onChange} choices={choices} />}
        <details>
          <summary>More</summary>
          <div className="ov-form" style={{ marginTop: '0.6rem' }}>
            <Advanced form={form} onChange={onChange} choices={choices} />
          </div>
        </details>
      </div>
    </Panel>
  );
}

function storeOption({ id, name, availableMiB }: RestoreChoices['targets']['imageDatastores'][number]): { value: string; label: string } {
  return { value: String(id), label: `${id} · ${name} · ${formatBytes(availableMiB * MIB)} free` };
}

function Datastores({ form, onChange, choices: { targets } }: StepProps) {
  return (
    <div className="ov-form-line">
      <NativeSelect
        label="Image datastore"
        data={[{ value: '', label: 'where each disk came from' }, ...targets.imageDatastores.map(storeOption)]}
        value={form.imageDatastore}
        onChange={(event) => onChange({ imageDatastore: event.currentTarget.value })}
      />
      <NativeSelect
        label="System datastore"
        data={[{ value: '', label: 'OpenNebula chooses' }, ...targets.systemDatastores.map(storeOption)]}
        value={form.systemDatastore}
        onChange={(event) => onChange({ systemDatastore: event.currentTarget.value })}
      />
    </div>
  );
}

/** The networks that the saved VM had, and the one that takes the place of each. */
function Networks({ form, onChange, choices: { networks, targets } }: StepProps) {
  return networks.map((network) => {
    const saved = network.id === undefined ? network.name : String(network.id);
    return (
      <NativeSelect
        key={saved}
        label={`Instead of network ${network.name}`}
        description={network.exists ? undefined : 'it is gone: choose another'}
        data={[{ value: '', label: 'the same' }, ...targets.networks.map(({ id, name }) => ({ value: String(id), label: `${id} · ${name}` }))]}
        value={form.networks[saved] ?? ''}
        onChange={(event) => onChange({ networks: { ...form.networks, [saved]: event.currentTarget.value } })}
      />
    );
  });
}

function Advanced({ form, onChange, choices: { questions } }: StepProps) {
  return (
    <>
      <NativeSelect
        label="Method"
        data={[
          { value: 'auto', label: 'as the datastore needs it' },
          { value: 'direct', label: 'direct: written into the image itself' },
          { value: 'saveas', label: 'saveas: written into an image that is then copied' },
        ]}
        value={form.method}
        onChange={(event) => onChange({ method: event.currentTarget.value as RestoreForm['method'] })}
      />
      {questions.map(({ question, choices }) => (
        <NativeSelect
          key={question}
          label={`Definition: ${question}`}
          data={[{ value: '', label: 'as the server advises' }, ...choices]}
          value={form.answers[question] ?? ''}
          onChange={(event) => onChange({ answers: { ...form.answers, [question]: event.currentTarget.value } })}
        />
      ))}
      <Checkbox
        size="xs"
        label="Read back what was written and compare"
        checked={form.verify}
        onChange={(event) => onChange({ verify: event.currentTarget.checked })}
      />
      <Checkbox
        size="xs"
        label="Leave it in HOLD instead of starting it"
        checked={form.hold}
        onChange={(event) => onChange({ hold: event.currentTarget.checked })}
      />
    </>
  );
}
