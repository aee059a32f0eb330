import { ActionIcon, Button, NativeSelect, TextInput } from '@mantine/core';
import { IconPlus, IconTrash } from '@tabler/icons-react';
import { type PolicyDoc, type ScheduleDoc, schedulesOf, textOf, withField } from './policy-document.ts';

interface FormProps {
  readonly doc: PolicyDoc;
  readonly onChange: (doc: PolicyDoc) => void;
}

/** When it runs: one schedule or many, all on the clock of one zone. */
export function ScheduleFields({ doc, onChange }: FormProps) {
  const schedules = schedulesOf(doc);
  const keep = (next: readonly ScheduleDoc[]): void => onChange(withField(doc, ['schedules'], next));
  const set = (index: number, part: Readonly<Record<string, unknown>>): void =>
    keep(
      schedules.map((each, at) =>
        at === index ? (Object.fromEntries(Object.entries({ ...each, ...part }).filter(([, value]) => value !== undefined)) as ScheduleDoc) : each,
      ),
    );
  return (
    <fieldset className="ov-set">
      <legend>When</legend>
      <datalist id="time-zones">
        {Intl.supportedValuesOf('timeZone').map((zone) => (
          <option key={zone} value={zone} />
        ))}
      </datalist>
      <TextInput
        label="Time zone"
        description="whose clock the times below mean"
        list="time-zones"
        value={textOf(doc, ['timezone'])}
        onChange={(event) => onChange(withField(doc, ['timezone'], event.currentTarget.value))}
      />
      {schedules.map((schedule, index) => (
        <Schedule
          key={index}
          schedule={schedule}
          withMode={doc.kind === 'backup'}
          onChange={(part) => set(index, part)}
          {...(schedules.length > 1 && { onRemove: () => keep(schedules.filter((_, at) => at !== index)) })}
        />
      ))}
      <span>
        <Button size="compact-xs" leftSection={<IconPlus size={13} />} onClick={() => keep([...schedules, { at: 'Sun 12:00' }])}>
          Another time
        </Button>
      </span>
    </fieldset>
  );
}

interface ScheduleProps {
  readonly schedule: ScheduleDoc;
  readonly withMode: boolean;
  readonly onChange: (part: Readonly<Record<string, unknown>>) => void;
  readonly onRemove?: () => void;
}

function Schedule({ schedule, withMode, onChange, onRemove }: ScheduleProps) {
  const window = typeof schedule['window'] === 'string' ? schedule['window'] : '';
  return (
    <div className="ov-form-line">
      <TextInput
        label="At"
        description="22:30 · Mon..Fri 22:30 · every 4h · cron"
        value={schedule.at}
        onChange={(event) => onChange({ at: event.currentTarget.value })}
        style={{ flex: '2 1 11rem' }}
      />
      {withMode && (
        <NativeSelect
          label="Reads"
          data={[
            { value: 'auto', label: 'what changed' },
            { value: 'full', label: 'everything' },
          ]}
          value={schedule['mode'] === 'full' ? 'full' : 'auto'}
          onChange={(event) => onChange({ mode: event.currentTarget.value === 'full' ? 'full' : undefined })}
        />
      )}
      <TextInput
        label="Window"
        placeholder="22:00-06:00"
        value={window}
        onChange={(event) => onChange({ window: event.currentTarget.value === '' ? undefined : event.currentTarget.value })}
      />
      {onRemove !== undefined && (
        <ActionIcon variant="default" size={30} onClick={onRemove} aria-label={`remove ${schedule.at}`} style={{ flex: 'none' }}>
          <IconTrash size={14} />
        </ActionIcon>
      )}
    </div>
  );
}
