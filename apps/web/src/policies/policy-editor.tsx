import { Button, SegmentedControl, Textarea } from '@mantine/core';
import { useState } from 'react';
import type { PolicySummary } from '../api/answers.ts';
import { call } from '../api/calls.ts';
import { plural } from '../show/format.ts';
import { Notice, ProblemNotice } from '../show/notice.tsx';
import { Panel } from '../show/page.tsx';
import { useAct } from '../show/use-act.ts';
import type { PolicyDoc } from './policy-document.ts';
import { PolicyForm } from './policy-form.tsx';
import { PolicyPreviewPanel } from './policy-preview.tsx';

interface PolicyEditorProps {
  readonly initial: PolicyDoc;
  readonly repositories: readonly string[];
  readonly isNew?: boolean;
  readonly readOnly?: boolean;
  readonly onSaved?: (policy: PolicySummary) => void;
}

/** A policy as a form or as YAML, whichever one likes: both are the same document. Beside it, what it would do. */
export function PolicyEditor({ initial, repositories, isNew = false, readOnly = false, onSaved }: PolicyEditorProps) {
  const [doc, setDoc] = useState(initial);
  const [view, setView] = useState('form');
  const [yaml, setYaml] = useState<{ readonly text: string; readonly fault: string | undefined }>({ text: '', fault: undefined });
  const save = useAct((policy: PolicyDoc) => call('putPolicy', { params: { name: policy.name }, body: policy }), {
    renews: ['policies', 'overview', 'vms', 'vm', 'calendar'],
    done: ({ name, matches }) => `The policy ${name} is kept: it is for ${plural(matches, 'VM')}`,
    onDone: onSaved,
  });
  const change = async (next: string): Promise<void> => {
    if (next === 'yaml') {
      const { stringify } = await import('yaml');
      setYaml({ text: stringify(doc), fault: undefined });
    }
    setView(next);
  };
  const write = async (text: string): Promise<void> => {
    setYaml({ text, fault: undefined });
    const { parse } = await import('yaml');
    try {
      const value: unknown = parse(text);
      if (typeof value !== 'object' || value === null) throw new TypeError('a policy is a list of names and values');
      setDoc(value as PolicyDoc);
    } catch (error) {
      setYaml({ text, fault: error instanceof Error ? error.message : String(error) });
    }
  };
  const renamed = !isNew && doc.name !== initial.name;
  const missing =
    typeof doc.name !== 'string' || doc.name === '' ? 'Give it a name.' : renamed ? `A policy keeps its name: this one is ${initial.name}.` : undefined;
  return (
    <div className="ov-columns">
      <Panel
        title="Definition"
        actions={
          <SegmentedControl
            size="xs"
            aria-label="form or YAML"
            value={view}
            onChange={(next) => void change(next)}
            data={[
              { value: 'form', label: 'Form' },
              { value: 'yaml', label: 'YAML' },
            ]}
          />
        }
      >
        <fieldset disabled={readOnly} style={{ border: 0, padding: 0, margin: 0, minWidth: 0 }}>
          {view === 'form' ? (
            <PolicyForm doc={doc} repositories={repositories} isNew={isNew} onChange={setDoc} />
          ) : (
            <Textarea
              className="ov-yaml"
              aria-label="the policy as YAML"
              autosize
              minRows={16}
              spellCheck={false}
              value={yaml.text}
              error={yaml.fault}
              onChange={(event) => void write(event.currentTarget.value)}
            />
          )}
        </fieldset>
        {save.error !== null && <ProblemNotice error={save.error} />}
        {missing !== undefined && <Notice tone="info">{missing}</Notice>}
        {!readOnly && (
          <div className="ov-actions">
            <Button
              variant="filled"
              disabled={missing !== undefined || (view === 'yaml' && yaml.fault !== undefined)}
              loading={save.isPending}
              onClick={() => save.mutate(doc)}
            >
              {isNew ? 'Make the policy' : 'Keep the changes'}
            </Button>
          </div>
        )}
      </Panel>
      <PolicyPreviewPanel doc={doc} />
    </div>
  );
}
