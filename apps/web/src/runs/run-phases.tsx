import type { RunDetail } from '../api/answers.ts';
import { formatDuration } from '../show/format.ts';
import { Panel } from '../show/page.tsx';
import { useNow } from '../show/when.tsx';
import { isOver } from './is-over.ts';
import { phaseBars } from './phases-layout.ts';
import type { FoldedRun, FoldedStep } from './run-fold.ts';

const TONES = { running: 'busy', done: 'ok', failed: 'bad' } as const;
const WORDS = { running: 'running', done: 'done', failed: 'failed' } as const;

/** The steps of a run on its time: what it did, one after another and beside one another, and how long each took. */
export function RunPhases({ run, folded }: { readonly run: RunDetail; readonly folded: FoldedRun }) {
  const now = useNow();
  const steps = folded.steps.length > 0 ? folded.steps : run.steps.map(asFolded);
  const bars = phaseBars(steps, isOver(run) && run.endedAt !== undefined ? new Date(run.endedAt).getTime() : now);
  if (bars.length === 0) return null;
  return (
    <Panel title="Phases">
      <ul className="ov-phases">
        {bars.map(({ key, title, outcome, code, durationMs, left, width }) => (
          <li key={key} style={{ display: 'contents' }}>
            <span>{title}</span>
            <span className="ov-phase-track">
              <span className={`ov-bg-${TONES[outcome]}`} style={{ left: `${left}%`, width: `${Math.min(width, 100 - left)}%` }} />
            </span>
            <span className={`ov-num ov-tone-${TONES[outcome]}`}>
              {formatDuration(durationMs)} {outcome === 'done' ? '' : WORDS[outcome]} {code !== undefined && <code>{code}</code>}
            </span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function asFolded({ step, diskId, startedAt, durationMs, outcome, code }: RunDetail['steps'][number]): FoldedStep {
  return { step, diskId, object: undefined, startedMs: new Date(startedAt).getTime(), durationMs, outcome, code };
}
