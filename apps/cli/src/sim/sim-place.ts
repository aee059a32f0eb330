import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SimControl, Simulator } from '@onevault/one-sim';
import type { JournalStore } from '@onevault/orchestrator';
import { z } from 'zod';
import { CliError } from '../errors.ts';

/** What a second shell has to know of a running simulator. */
export interface SimPlace {
  readonly endpoint: string;
  /** A file with `user:password`, for ONE_AUTH. */
  readonly authFile: string;
  /** Directory laid out like the root of the proxy VM, for ONEVAULT_PROXY_ROOT. */
  readonly proxyRoot: string;
}

const placeFile = z.object({ endpoint: z.string(), authFile: z.string(), proxyRoot: z.string(), owner: z.string() });

/** The proxy VM's guest is laid out below the simulator's directory, one directory a proxy VM. */
export async function placeOf(simulator: Simulator): Promise<SimPlace> {
  const authFile = join(simulator.dir, 'one_auth');
  await writeFile(authFile, `${simulator.user}:${simulator.password}\n`, { mode: 0o600 });
  return { endpoint: simulator.endpoint.href, authFile, proxyRoot: await proxyRootOf(simulator.control, simulator.dir) };
}

async function proxyRootOf(control: SimControl, dir: string): Promise<string> {
  const proxy = (await control.state()).vms.find((vm) => vm.proxy);
  if (proxy === undefined)
    throw new CliError({ code: 'CLI_USAGE', message: `the simulator in ${dir} has no proxy VM`, hint: 'start it in an empty directory' });
  return join(dir, 'proxy', String(proxy.id));
}

/** Lines a shell can `eval`. */
export function exportLines(place: SimPlace): string[] {
  const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
  return [`export ONE_XMLRPC=${quoted(place.endpoint)}`, `export ONE_AUTH=${quoted(place.authFile)}`, `export ONEVAULT_PROXY_ROOT=${quoted(place.proxyRoot)}`];
}

/** Notes who serves a directory, so that `sim stop` finds the process and no other. */
export async function notePlace(dir: string, place: SimPlace, journals: Pick<JournalStore, 'owner'>): Promise<void> {
  // Renamed into place: whoever waits for it must never read half of it.
  const draft = `${noteIn(dir)}.${process.pid}`;
  await writeFile(draft, `${JSON.stringify({ ...place, owner: journals.owner })}\n`);
  await rename(draft, noteIn(dir));
}

/** Of a simulator that is running in `dir`; undefined when none is. */
export async function findPlace(dir: string, journals: Pick<JournalStore, 'isAlive'>): Promise<(SimPlace & { readonly pid: number }) | undefined> {
  const text = await readFile(noteIn(dir), 'utf8').catch(() => undefined);
  const parsed = placeFile.safeParse(parseJson(text));
  if (!parsed.success || !(await journals.isAlive(parsed.data.owner))) return undefined;
  const { owner, ...place } = parsed.data;
  return { ...place, pid: Number(owner.split(' ')[1]) };
}

/** A file that is not there or not ours names no simulator. */
function parseJson(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

const noteIn = (dir: string): string => join(dir, 'serving.json');
