import { Button, FileButton, Textarea, TextInput } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { call, linkTo } from '../api/calls.ts';
import { PlaceVerdict } from '../repositories/place-verdict.tsx';
import { Notice, ProblemNotice } from '../show/notice.tsx';
import { Loaded, Page, Panel } from '../show/page.tsx';
import { useAct } from '../show/use-act.ts';
import { Changes } from './changes.tsx';

export function SettingsPage() {
  const settings = useQuery({ queryKey: ['settings'], queryFn: ({ signal }) => call('exportSettings', {}, { signal }), staleTime: 0 });
  return (
    <Page
      title="Settings"
      name="Settings"
      lead="All that is set, as one YAML without secrets: put it under version control, change it here or with onevault apply -f FILE."
      actions={
        <Button component="a" href={linkTo('exportSettings', {})} download="onevault-settings.yaml">
          Download
        </Button>
      }
    >
      <Loaded asked={{ data: settings.data as string | undefined, error: settings.error, refetch: settings.refetch }} rows={8}>
        {(yaml) => <Editor key={yaml} initial={yaml} />}
      </Loaded>
      <TryNotification />
    </Page>
  );
}

/** First what would change, then the change: nothing is applied that was not shown. */
function Editor({ initial }: { readonly initial: string }) {
  const [yaml, setYaml] = useState(initial);
  const [shown, setShown] = useState<string>();
  const look = useMutation({
    mutationFn: (text: string) => call('applySettings', { body: { yaml: text, dryRun: true } }),
    onSuccess: (_, text) => setShown(text),
  });
  const apply = useAct((text: string) => call('applySettings', { body: { yaml: text, dryRun: false } }), {
    renews: ['settings', 'policies', 'repositories', 'overview', 'vms', 'users'],
    done: ({ changes }) => `The server has changed ${changes.filter(({ action }) => action !== 'keep').length} of ${changes.length}`,
  });
  const read = async (file: File | null): Promise<void> => {
    if (file !== null) setYaml(await file.text());
  };
  const isShown = shown === yaml && look.data !== undefined;
  return (
    <Panel
      title="As YAML"
      actions={
        <FileButton onChange={(file) => void read(file)} accept=".yaml,.yml,application/yaml">
          {(props) => <Button {...props}>From a file</Button>}
        </FileButton>
      }
    >
      <Textarea
        className="ov-yaml"
        aria-label="settings as YAML"
        autosize
        minRows={12}
        maxRows={32}
        spellCheck={false}
        value={yaml}
        onChange={(event) => setYaml(event.currentTarget.value)}
      />
      {look.error !== null && <ProblemNotice error={look.error} />}
      {apply.error !== null && <ProblemNotice error={apply.error} />}
      {isShown && <Changes changes={look.data.changes} />}
      {isShown &&
        look.data.checks?.map(({ name, place, ...check }) => (
          <div key={name}>
            <strong>
              Repository {name} at {place}
            </strong>
            <PlaceVerdict check={check} />
          </div>
        ))}
      <div className="ov-actions">
        <Button loading={look.isPending} onClick={() => look.mutate(yaml)}>
          Show what would change
        </Button>
        <Button
          variant="filled"
          disabled={!isShown || look.data.changes.every(({ action }) => action === 'keep')}
          loading={apply.isPending}
          onClick={() => apply.mutate(yaml)}
        >
          Apply
        </Button>
      </div>
    </Panel>
  );
}

function TryNotification() {
  const trial = useAct((channel: string) => call('testNotification', { body: { channel } }), { renews: [], done: () => 'Sent' });
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    trial.mutate(String(new FormData(event.currentTarget).get('channel')));
  };
  return (
    <Panel title="Try a notification">
      <form className="ov-form-line" onSubmit={submit} style={{ maxWidth: '26rem' }}>
        <TextInput name="channel" label="Channel" description="its name in the settings" required />
        <Button type="submit" loading={trial.isPending}>
          Send
        </Button>
      </form>
      {trial.isSuccess && <Notice tone="ok">The server has sent it.</Notice>}
      {trial.error !== null && <ProblemNotice error={trial.error} />}
    </Panel>
  );
}
