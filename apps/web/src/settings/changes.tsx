import type { Answer } from '@onevault/api';
import { Notice } from '../show/notice.tsx';
import { Status } from '../show/status.tsx';

type Change = Answer<'applySettings'>['changes'][number];
const TONES = { create: 'ok', change: 'warn', remove: 'bad', keep: 'off' } as const;
const WORDS = { create: 'new', change: 'changes', remove: 'is removed', keep: 'stays' } as const;

export function Changes({ changes }: { readonly changes: readonly Change[] }) {
  const real = changes.filter(({ action }) => action !== 'keep');
  if (real.length === 0) return <Notice tone="info">It would change nothing.</Notice>;
  return real.map(({ kind, name, action, diff }) => (
    <div key={`${kind} ${name}`}>
      <Status tone={TONES[action]}>
        {kind} {name} {WORDS[action]}
      </Status>
      {diff !== '' && <Diff text={diff} />}
    </div>
  ));
}

const KINDS = { '+': 'ov-plus', '-': 'ov-minus' } as const;

function Diff({ text }: { readonly text: string }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
    <section className="ov-diff" tabIndex={0} aria-label="difference">
      {text.split('\n').map((line, index) => (
        <div key={index} className={KINDS[line.charAt(0) as keyof typeof KINDS]}>
          {line}
        </div>
      ))}
    </section>
  );
}
