import { Button, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import type { Point } from '../api/answers.ts';
import { call } from '../api/calls.ts';
import { useMay } from '../session/session.tsx';
import { ProblemNotice } from '../show/notice.tsx';
import { Panel } from '../show/page.tsx';
import { useAct } from '../show/use-act.ts';

export function TagsPanel({ point }: { readonly point: Point }) {
  const operator = useMay('operator');
  const [text, setText] = useState(point.tags.join(', '));
  const tag = useAct((tags: string[]) => call('tagPoint', { params: { repository: point.repository, pointId: point.id }, body: { tags } }), {
    renews: ['point', 'points'],
    done: () => 'The tags are kept',
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    tag.mutate([...new Set(text.split(',').map((each) => each.trim()))].filter((each) => each !== ''));
  };
  return (
    <Panel title="Tags">
      {operator ? (
        <form className="ov-form-line" onSubmit={submit}>
          <TextInput label="Separated by commas" value={text} onChange={(event) => setText(event.currentTarget.value)} />
          <Button type="submit" loading={tag.isPending}>
            Keep
          </Button>
        </form>
      ) : (
        <span>{point.tags.join(', ') || 'none'}</span>
      )}
      {tag.error !== null && <ProblemNotice error={tag.error} />}
    </Panel>
  );
}
