import { Button, NativeSelect, TextInput } from '@mantine/core';
import type { FormEvent } from 'react';
import type { Repository } from '../api/answers.ts';
import { call } from '../api/calls.ts';
import { ProblemNotice } from '../show/notice.tsx';
import { useAct } from '../show/use-act.ts';
import { isNew, PlaceVerdict } from './place-verdict.tsx';
import { useLookedAt, type Where } from './use-looked-at.ts';

/** Adds or changes a repository: first the server looks what is there, then it is opened or made. */
export function RepositoryForm({ known, onDone }: { readonly known?: Repository; readonly onDone: (repository: Repository) => void }) {
  const there = useLookedAt(known);
  const makes = there.found !== undefined && isNew(there.found);
  const put = useAct(
    ({ name, ...body }: Where & { readonly name: string; readonly create: boolean; readonly maintenance?: object }) =>
      call('putRepository', { params: { name }, body }),
    { renews: ['repositories', 'overview'], done: ({ name, place }) => `The repository ${name} at ${place} is open`, onDone },
  );
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    if (!there.isReady) {
      there.look();
      return;
    }
    const fields = new FormData(event.currentTarget);
    put.mutate({ ...there.where, ...maintenanceIn(fields), name: known?.name ?? String(fields.get('name')).trim(), create: makes });
  };
  return (
    <form className="ov-form" onSubmit={submit} style={{ width: '100%' }}>
      <div className="ov-form-line">
        {known === undefined && <TextInput name="name" label="Name" required defaultValue="main" />}
        <TextInput
          label="Place"
          required
          description="a directory that every worker has, or s3://bucket/prefix?endpoint=…"
          placeholder="/mnt/backup/onevault"
          value={there.fields.place}
          onChange={(event) => there.fields.setPlace(event.currentTarget.value)}
          style={{ flex: '3 1 14rem' }}
        />
      </div>
      <TextInput
        label="Secret"
        description="name of a file in the server’s secrets directory that holds the passphrase; empty: not encrypted"
        value={there.fields.secretFile}
        onChange={(event) => there.fields.setSecretFile(event.currentTarget.value)}
      />
      <MaintenanceFields known={known} />
      {there.found !== undefined && <PlaceVerdict check={there.found} />}
      {there.error !== null && <ProblemNotice error={there.error} />}
      {put.error !== null && <ProblemNotice error={put.error} />}
      <div className="ov-actions">
        {!there.isReady && (
          <Button type="submit" variant="filled" loading={there.isLooking}>
            {there.found === undefined ? 'See what is there' : 'Look again'}
          </Button>
        )}
        {there.isReady && (
          <>
            <Button type="submit" variant="filled" loading={put.isPending}>
              {makes ? 'Make it there' : known === undefined ? 'Add it' : 'Keep the changes'}
            </Button>
            {there.found !== undefined && (
              <Button onClick={there.look} loading={there.isLooking}>
                Look again
              </Button>
            )}
          </>
        )}
      </div>
    </form>
  );
}

function MaintenanceFields({ known }: { readonly known: Repository | undefined }) {
  const maintenance = known?.maintenance;
  return (
    <details>
      <summary>More: when it is looked after</summary>
      <div className="ov-form-line" style={{ marginTop: '0.6rem' }}>
        <TextInput name="verify" label="Verify" placeholder="Sun 04:00, or none" defaultValue={maintenance?.verify} />
        <NativeSelect name="verifyMode" label="How" data={['sample', 'structure', 'all']} defaultValue={maintenance?.verifyMode ?? 'sample'} />
        <TextInput name="gc" label="Collect garbage" placeholder="Sat 04:00, or none" defaultValue={maintenance?.gc} />
        <TextInput name="timezone" label="On the clock of" defaultValue={maintenance?.timezone ?? Intl.DateTimeFormat().resolvedOptions().timeZone} />
      </div>
    </details>
  );
}

/** What was left empty stays as it was. */
function maintenanceIn(fields: FormData): { readonly maintenance?: object } {
  const said = ['verify', 'gc', 'timezone', 'verifyMode'].map((name) => [name, String(fields.get(name) ?? '').trim()]).filter(([, text]) => text !== '');
  return said.length === 0 ? {} : { maintenance: Object.fromEntries(said) };
}
