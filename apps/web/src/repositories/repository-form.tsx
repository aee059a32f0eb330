import { Button, Checkbox, NativeSelect, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import type { Repository } from '../api/answers.ts';
import { call } from '../api/calls.ts';
import { ProblemNotice } from '../show/notice.tsx';
import { useAct } from '../show/use-act.ts';

/** Adds or changes a repository. The server opens it before it takes it. */
export function RepositoryForm({ known, onDone }: { readonly known?: Repository; readonly onDone: (repository: Repository) => void }) {
  const [create, setCreate] = useState(known === undefined);
  const put = useAct(
    ({ name, ...body }: { name: string; place: string; secretFile?: string; create: boolean; maintenance?: object }) =>
      call('putRepository', { params: { name }, body }),
    { renews: ['repositories', 'overview'], done: ({ name, place }) => `The repository ${name} at ${place} is open` },
  );
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget);
    const text = (name: string): string => String(fields.get(name) ?? '').trim();
    const maintenance = Object.fromEntries(['verify', 'gc', 'timezone', 'verifyMode'].flatMap((name) => (text(name) === '' ? [] : [[name, text(name)]])));
    const secretFile = text('secretFile');
    put.mutate(
      {
        name: known?.name ?? text('name'),
        place: text('place'),
        create,
        ...(secretFile !== '' && { secretFile }),
        ...(Object.keys(maintenance).length > 0 && { maintenance }),
      },
      { onSuccess: onDone },
    );
  };
  return (
    <form className="ov-form" onSubmit={submit} style={{ width: '100%' }}>
      <div className="ov-form-line">
        {known === undefined && <TextInput name="name" label="Name" required defaultValue="main" />}
        <TextInput
          name="place"
          label="Place"
          required
          description="a directory of the proxy VM, or s3://bucket/prefix?endpoint=…"
          placeholder="/mnt/backup/onevault"
          defaultValue={known?.place}
          style={{ flex: '3 1 14rem' }}
        />
      </div>
      <TextInput
        name="secretFile"
        label="Secret"
        description="name of a file in the server’s secrets directory that holds the passphrase; empty: not encrypted"
      />
      {known === undefined && (
        <Checkbox
          size="xs"
          label="Make it, if nothing is there yet"
          description="otherwise what is there is opened"
          checked={create}
          onChange={(event) => setCreate(event.currentTarget.checked)}
        />
      )}
      <details>
        <summary>More: when it is looked after</summary>
        <div className="ov-form-line" style={{ marginTop: '0.6rem' }}>
          <TextInput name="verify" label="Verify" placeholder="Sun 04:00, or none" defaultValue={known?.maintenance?.verify} />
          <NativeSelect name="verifyMode" label="How" data={['sample', 'structure', 'all']} defaultValue={known?.maintenance?.verifyMode ?? 'sample'} />
          <TextInput name="gc" label="Collect garbage" placeholder="Sat 04:00, or none" defaultValue={known?.maintenance?.gc} />
          <TextInput name="timezone" label="On the clock of" defaultValue={known?.maintenance?.timezone ?? Intl.DateTimeFormat().resolvedOptions().timeZone} />
        </div>
      </details>
      {put.error !== null && <ProblemNotice error={put.error} />}
      <div className="ov-actions">
        <Button type="submit" variant="filled" loading={put.isPending}>
          {known === undefined ? 'Open it' : 'Keep the changes'}
        </Button>
      </div>
    </form>
  );
}
