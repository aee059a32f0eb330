import type { StreamEvent } from '@onevault/api';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { linkTo } from '../api/calls.ts';
import { readEvents } from '../api/event-stream.ts';
import { EMPTY_RUN, type FoldedRun, foldEvent } from './run-fold.ts';

/** Events of one run, folded as they come; drawn at most once a frame, whatever their number. */
export function useRunEvents(runId: string): FoldedRun {
  const client = useQueryClient();
  const [folded, setFolded] = useState(EMPTY_RUN);
  useEffect(() => {
    const end = new AbortController();
    let run = EMPTY_RUN;
    let frame: number | undefined;
    setFolded(EMPTY_RUN);
    const draw = (): void => {
      frame ??= requestAnimationFrame(() => {
        frame = undefined;
        setFolded(run);
      });
    };
    const take = (event: StreamEvent): void => {
      run = foldEvent(run, event);
      draw();
      if (event.type.startsWith('run.')) void client.invalidateQueries({ queryKey: ['run', runId] });
    };
    const url = linkTo('watchRun', { params: { runId } });
    void readEvents(url, { onEvent: take, signal: end.signal }).then(() => client.invalidateQueries({ queryKey: ['run', runId] }));
    return () => {
      end.abort();
      if (frame !== undefined) cancelAnimationFrame(frame);
    };
  }, [runId, client]);
  return folded;
}
