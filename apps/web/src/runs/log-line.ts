import type { StreamEvent } from '@onevault/api';
import { formatBytes, formatDuration } from '../show/format.ts';

export interface LogLine {
  readonly id: string;
  readonly time: string;
  readonly level: 'info' | 'warn' | 'error';
  readonly text: string;
  /** What the line is about, where that has a page. */
  readonly vmId: number | undefined;
  readonly pointId: string | undefined;
}

type Data = StreamEvent['data'];
type Said = readonly [level: LogLine['level'], text: string];

/** An event as a line of the log; progress has none. */
export function logLineOf(event: StreamEvent): LogLine | undefined {
  const said = sayings[event.type]?.(event.data) ?? (event.type in sayings ? undefined : (['info', `${event.type} ${JSON.stringify(event.data)}`] as const));
  if (said === undefined) return undefined;
  const { vmId, pointId } = event.data;
  return {
    id: event.id,
    time: event.time,
    level: said[0],
    text: said[1],
    vmId: typeof vmId === 'number' ? vmId : undefined,
    pointId: typeof pointId === 'string' ? pointId : undefined,
  };
}

const sayings: Readonly<Record<string, (data: Data) => Said | undefined>> = {
  'disk.progress': () => undefined,
  'run.queued': () => ['info', 'waits for its turn'],
  'run.taken': (data) => ['info', join('taken by worker', data['worker'], Number(data['attempt']) > 1 ? `(attempt ${String(data['attempt'])})` : undefined)],
  'run.started': (data) => ['info', `begins: ${join(data['action'] ?? data['kind'], named('VM', data['vmId'], data['vmName']), data['pointId'])}`],
  'run.waits': (data) =>
    data['failure'] === undefined ? ['info', 'waits for its turn again'] : ['warn', `failed and is tried again: ${errorIn(data['failure'])}`],
  'run.ended': (data) => ended(data),
  log: (data) => [levelIn(data['level']), join(data['message'], fieldsIn(data['fields']))],
  'run.finished': (data) => finished(data),
  'vm.waiting': (data) => [
    'warn',
    `${named('VM', data['vmId'], data['vmName'])} is ${String(data['state'])}: somebody is at work on it; the run begins when that is over`,
  ],
  'vm.planned': (data) => ['info', `planned: ${String(property(data['plan'], 'verdict') ?? 'ok')}`],
  'vm.restored': (data) => ['info', `${named('VM', data['vmId'], data['vmName'])} is there`],
  'disk.skipped': (data) => ['warn', `disk ${String(data['diskId'])} is left out: ${reasonsIn(data['reasons'])}`],
  'disk.mode': (data) => [
    'info',
    `disk ${String(data['diskId'])} is read ${data['mode'] === 'full' ? 'in full' : 'for what changed'}: ${String(data['reason'])}`,
  ],
  'disk.finished': (data) => ['info', `disk ${String(data['diskId'])} is done: ${bytesIn(data['readBytes'])} read in ${durationIn(data['durationMs'])}`],
  'step.started': (data) => ['info', `${stepIn(data)} …`],
  'step.finished': (data) => ['info', `${stepIn(data)} done in ${durationIn(data['durationMs'])}`],
  'step.failed': (data) => [
    'error',
    `${stepIn(data)} failed after ${durationIn(data['durationMs'])}${data['code'] === undefined ? '' : `: ${String(data['code'])}`}`,
  ],
  'restore-point.committed': (data) => ['info', `restore point ${String(data['pointId'])} exists from now on`],
  'cleanup.failed': (data) => ['error', `${String(data['object'])} could not be taken away: ${errorIn(data['error'])}`],
  warning: (data) => ['warn', join(data['code'], data['message'])],
};

function finished(data: Data): Said {
  const outcome = String(data['outcome'] ?? data['state'] ?? 'ended');
  const bad = outcome === 'failed';
  const residue = Array.isArray(data['residue']) && data['residue'].length > 0 ? `; still in OpenNebula: ${data['residue'].join(', ')}` : '';
  return [
    bad ? 'error' : outcome === 'complete' || outcome === 'succeeded' ? 'info' : 'warn',
    `ends: ${outcome}${bad ? `: ${errorIn(data['error'])}` : ''}${residue}`,
  ];
}

function ended({ state, failure }: Data): Said {
  if (state === 'failed') return ['error', `the run has failed: ${errorIn(failure)}`];
  return [state === 'succeeded' ? 'info' : 'warn', `the run is over: ${String(state)}`];
}

function levelIn(level: unknown): LogLine['level'] {
  return level === 'warn' || level === 'error' ? level : 'info';
}

/** What went wrong in words, everything else as it is. */
function fieldsIn(fields: unknown): string | undefined {
  const { error, ...rest } = (fields ?? {}) as Record<string, unknown>;
  const others = Object.keys(rest).length > 0 ? JSON.stringify(rest) : undefined;
  return join(error === undefined ? undefined : `(${errorIn(error)})`, others) || undefined;
}

function stepIn(data: Data): string {
  return join(data['step'], data['diskId'] === undefined ? undefined : `disk ${String(data['diskId'])}`, data['object']);
}

function named(what: string, id: unknown, name: unknown): string | undefined {
  if (id === undefined && name === undefined) return undefined;
  return [what, id, name === undefined ? undefined : `(${String(name)})`].filter((part) => part !== undefined).join(' ');
}

function join(...parts: readonly unknown[]): string {
  return parts.filter((part) => part !== undefined && part !== null).join(' ');
}

function reasonsIn(reasons: unknown): string {
  return Array.isArray(reasons) ? reasons.map((reason) => `${String(property(reason, 'text'))} (${String(property(reason, 'code'))})`).join('; ') : '';
}

function errorIn(error: unknown): string {
  return join(property(error, 'message'), property(error, 'code'));
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function bytesIn(value: unknown): string {
  return typeof value === 'number' ? formatBytes(value) : '?';
}

function durationIn(value: unknown): string {
  return typeof value === 'number' ? formatDuration(value) : '?';
}

/** The whole log as text, for a ticket. */
export function logText(lines: readonly LogLine[]): string {
  return lines.map(({ time, level, text }) => `${time} ${level.toUpperCase().padEnd(5)} ${text}`).join('\n');
}
