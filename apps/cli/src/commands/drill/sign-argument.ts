import type { SignOfLife } from '@onevault/orchestrator';
import { usageError } from '../../errors.ts';
import { parseSpan } from '../../select/time-span.ts';

const HINT = 'running, running:90s, agent, ready, console:REGEX; a command with --probe PROGRAM and --probe-arg ARG';

/** How long RUNNING must last where nobody says so: longer than a boot loader that finds no disk takes to give up. */
const RUNNING_SECONDS = 60;

/** A sign of life as typed: `running:90s`, `agent`, `ready`, `console:login:`. */
function parseSign(text: string): SignOfLife {
  const [, kind = '', rest] = /^([a-z]+)(?::(.*))?$/s.exec(text) ?? [];
  if (kind === 'running') return { kind, seconds: rest === undefined ? RUNNING_SECONDS : parseSpan(rest, 'a time') / 1000 };
  if (kind === 'console' && rest !== undefined && rest !== '') return { kind, pattern: rest };
  if (kind === 'agent' && rest === undefined) return { kind: 'guest-agent' };
  if (kind === 'ready' && rest === undefined) return { kind: 'onegate-ready' };
  throw usageError(`'${text}' is no sign of life`, HINT);
}

export interface SignFlags {
  readonly sign?: readonly string[];
  readonly probe?: string;
  readonly probeArg?: readonly string[];
  readonly probeShell?: string;
}

/** All that are waited for; RUNNING for a minute when none is named. */
export function signsOf({ sign, probe, probeArg, probeShell }: SignFlags): SignOfLife[] {
  if (probeArg !== undefined && probe === undefined) throw usageError('--probe-arg needs --probe', HINT);
  const signs = (sign ?? []).map(parseSign);
  if (probe !== undefined) signs.push({ kind: 'probe', argv: [probe, ...(probeArg ?? [])] });
  if (probeShell !== undefined) signs.push({ kind: 'probe', argv: ['/bin/sh', '-c', probeShell] });
  return signs.length === 0 ? [{ kind: 'running', seconds: RUNNING_SECONDS }] : signs;
}
