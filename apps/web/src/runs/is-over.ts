import type { Run } from '../api/answers.ts';

export function isOver({ state }: Pick<Run, 'state'>): boolean {
  return state !== 'queued' && state !== 'running';
}
