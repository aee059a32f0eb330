import { z } from 'zod';
import { NOTIFICATION_CONDITIONS, type NotificationChannel, type NotificationCondition } from '../ports/notification-channel.ts';
import { type Entry, oneLine } from './entry.ts';

/** A trouble is told again after so long. */
const AGAIN_MS = 24 * 3_600_000;

/** What is wrong and goes on until it is over, by a key of its own: `run:backup:17`, `rpo:17`, `repository:main`. */
export const troubleSchema = z.object({
  condition: z.enum(NOTIFICATION_CONDITIONS),
  subject: z.string(),
  sinceMs: z.number(),
  /** How often it was seen. */
  times: z.number(),
  /** When each channel was last told. */
  told: z.record(z.string(), z.number()),
});
export type Trouble = z.output<typeof troubleSchema>;

/** What is seen of something: wrong in this way, or in order. */
export interface Observation {
  readonly key: string;
  readonly subject: string;
  /** Undefined: it is in order. */
  readonly trouble: { readonly condition: NotificationCondition; readonly text: string; readonly code?: string; readonly hint?: string } | undefined;
  readonly runId?: string;
  readonly vmId?: number;
}

export interface Telling {
  readonly channel: string;
  readonly entry: Omit<Entry, 'id'>;
}

/**
 * Who is to be told what of an observation, and the trouble as it stands afterwards: the same object where nothing changed. A trouble is told once, again after a day,
 * when it becomes another one (degraded, then failed), and when it is over: of a run as `recovered` to those who listen for that, of everything else to whoever was told.
 */
export function observe(
  known: Trouble | undefined,
  seen: Observation,
  channels: readonly NotificationChannel[],
  nowMs: number,
): { readonly trouble: Trouble | undefined; readonly tellings: readonly Telling[] } {
  if (seen.trouble === undefined) return { trouble: undefined, tellings: known === undefined ? [] : ending(seen, known, channels, nowMs) };
  const { condition } = seen.trouble;
  const told = known?.condition === condition ? known.told : {};
  const due = channels.filter(({ name, on }) => on.includes(condition) && nowMs - (told[name] ?? Number.NEGATIVE_INFINITY) >= AGAIN_MS);
  // How things stand is looked at every minute: that is no news.
  const isNews = known?.condition !== condition || due.length > 0 || seen.runId !== undefined;
  if (!isNews) return { trouble: known, tellings: [] };
  const trouble = {
    condition,
    subject: oneLine(seen.subject),
    sinceMs: known?.sinceMs ?? nowMs,
    times: (known?.times ?? 0) + 1,
    told: { ...told, ...Object.fromEntries(due.map(({ name }) => [name, nowMs])) },
  };
  const entry = entryOf(seen, condition, false, again(seen.trouble.text, trouble, nowMs), nowMs, seen.trouble);
  return { trouble, tellings: due.map(({ name }) => ({ channel: name, entry })) };
}

function ending(seen: Observation, known: Trouble, channels: readonly NotificationChannel[], nowMs: number): readonly Telling[] {
  const isRun = known.condition === 'failed' || known.condition === 'degraded';
  const condition = isRun ? 'recovered' : known.condition;
  const listeners = isRun ? channels.filter(({ on }) => on.includes('recovered')) : channels.filter(({ name }) => known.told[name] !== undefined);
  const text = `in order again; ${known.condition} since ${new Date(known.sinceMs).toISOString()}`;
  const entry = entryOf(seen, condition, true, text, nowMs);
  return listeners.map(({ name }) => ({ channel: name, entry }));
}

function again(text: string, { sinceMs, times }: Trouble, nowMs: number): string {
  return times === 1 || sinceMs === nowMs ? text : `${text} (since ${new Date(sinceMs).toISOString()}, ${times} times)`;
}

/** Something that is told of itself, every time: it is no trouble that goes on. */
export function entryOf(
  seen: Omit<Observation, 'trouble' | 'key'>,
  condition: NotificationCondition,
  over: boolean,
  text: string,
  at: number,
  more: { readonly code?: string; readonly hint?: string } = {},
): Omit<Entry, 'id'> {
  return {
    condition,
    over,
    at,
    subject: oneLine(seen.subject),
    text: oneLine(text),
    ...(more.code !== undefined && { code: oneLine(more.code) }),
    ...(more.hint !== undefined && { hint: oneLine(more.hint) }),
    ...(seen.runId !== undefined && { runId: seen.runId }),
    ...(seen.vmId !== undefined && { vmId: seen.vmId }),
  };
}
