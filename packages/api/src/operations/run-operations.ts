import { z } from 'zod';
import type { Operation } from '../operation.ts';
import * as runs from '../schemas/run.ts';
import { pageOf } from '../schemas/wire-values.ts';

const ofRun = z.object({ runId: z.string().max(64) });

/** Everything that takes long is a run. */
export const RUN_OPERATIONS = [
  {
    id: 'listRuns',
    method: 'get',
    path: '/runs',
    tag: 'runs',
    summary: 'runs, newest first',
    role: 'viewer',
    objects: 'filtered',
    query: runs.runQuery,
    answer: { status: 200, body: pageOf(runs.run) },
  },
  {
    id: 'startRun',
    method: 'post',
    path: '/runs',
    tag: 'runs',
    summary: 'back up, restore, take or revert snapshots, verify …',
    role: 'operator',
    objects: 'vm-manage',
    body: runs.runRequest,
    answer: { status: 202, body: runs.runAccepted },
    idempotent: true,
  },
  {
    id: 'getRun',
    method: 'get',
    path: '/runs/{runId}',
    tag: 'runs',
    summary: 'one run with its steps',
    role: 'viewer',
    objects: 'vm-use',
    params: ofRun,
    answer: { status: 200, body: runs.runDetail },
  },
  {
    id: 'cancelRun',
    method: 'post',
    path: '/runs/{runId}/cancel',
    tag: 'runs',
    summary: 'stop it in order; what it made is taken away',
    role: 'operator',
    objects: 'vm-manage',
    params: ofRun,
    answer: { status: 202, body: runs.runAccepted },
  },
  {
    id: 'watchRun',
    method: 'get',
    path: '/runs/{runId}/events',
    tag: 'runs',
    summary: 'what happens in a run, as it happens',
    role: 'viewer',
    objects: 'vm-use',
    params: ofRun,
    answer: { status: 200, events: runs.streamEvent },
  },
  {
    id: 'runLog',
    method: 'get',
    path: '/runs/{runId}/log',
    tag: 'runs',
    summary: 'everything that happened in a run, an event a line; of one that is under way, until it ends',
    role: 'viewer',
    objects: 'vm-use',
    params: ofRun,
    answer: { status: 200, file: 'application/x-ndjson' },
  },
  {
    id: 'watch',
    method: 'get',
    path: '/events',
    tag: 'runs',
    summary: 'what happens, as it happens',
    role: 'viewer',
    objects: 'filtered',
    answer: { status: 200, events: runs.streamEvent },
  },
] as const satisfies readonly Operation[];
