import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

/** Who writes a journal, so that a later process can tell a dead run from one that is at work. */
export interface ProcessIdentity {
  /** Host, pid, start of the process and boot of the machine. */
  readonly owner: string;
  isAlive(owner: string): Promise<boolean>;
}

export function thisProcess(): ProcessIdentity {
  return { owner: `${hostname()} ${process.pid} ${processStart('self') ?? 0} ${bootId()}`, isAlive: async (owner) => isAlive(owner) };
}

/** The host of an owner: what a person can say of it. */
export function hostOf(owner: string): string {
  return owner.split(' ')[0] ?? '';
}

/**
 * Alive: on this host, since this boot, with that pid, started at that time (pids come again, and after a boot the same service may get the same pid
 * at the same tick). A run of another host cannot be judged from here and counts as alive.
 */
function isAlive(owner: string): boolean {
  const [host, pid = '', start, boot] = owner.split(' ');
  if (host !== hostname()) return true;
  return String(processStart(pid)) === start && (boot === undefined || boot === bootId());
}

/**
 * Field 22 of /proc/PID/stat (proc(5)): start time in ticks since boot. The command name before it may hold spaces and brackets. A process that has ended and that
 * nobody has waited for (field 3, Z) does nothing any more; in a container whose first process does not collect orphans it is listed for ever.
 */
function processStart(pid: string): number | undefined {
  const stat = read(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return state === 'Z' ? undefined : Number(fields[18]);
}

/** random(4): one for each boot. */
function bootId(): string {
  return read('/proc/sys/kernel/random/boot_id')?.trim().slice(0, 8) ?? '-';
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
