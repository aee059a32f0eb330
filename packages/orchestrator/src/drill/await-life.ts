import { type CallOptions, errorCode, serializeError } from '@onevault/base';
import { type Verdict, type Vm, type VmId, vmStateName } from '@onevault/one-client';
import { text, vectors } from '../attributes.ts';
import type { CloudDeps } from '../cloud/cloud-deps.ts';
import { JobError } from '../errors.ts';
import type { SerialConsole } from './console-port.ts';
import type { DrillRequest, SignOfLife, SignReport } from './drill-model.ts';
import type { ProbePort } from './probe-port.ts';
import { lookFor } from './vm-signs.ts';

export interface LifeDeps {
  readonly cloud: CloudDeps;
  readonly console: SerialConsole | undefined;
  readonly probes: ProbePort | undefined;
}

/** What is waited for, and how long. */
export type LifeWish = Pick<DrillRequest, 'signs' | 'need' | 'limitMs'>;

export interface Life {
  readonly alive: boolean;
  readonly signs: readonly SignReport[];
  /** Why nothing more was waited for, when it is not alive. */
  readonly error: JobError | undefined;
  readonly lifeMs: number | undefined;
}

interface Sought {
  readonly sign: SignOfLife;
  seen: boolean;
  /** It cannot come any more. */
  never: boolean;
  afterMs: number | undefined;
  evidence: string;
}

/** Between two runs of a probe. */
const PROBE_PAUSE_MS = 5000;
const EVIDENCE_CHARS = 2000;

/**
 * Waits until the guest has shown the signs that are needed, for at most `limitMs`. A VM that stops, or a sign that can never come, ends it at once.
 * `vm` was just seen RUNNING. Everything that was begun here has ended when this resolves.
 */
export async function awaitLife(deps: LifeDeps, vm: Vm, request: LifeWish, facts: Readonly<Record<string, string>>, options: CallOptions): Promise<Life> {
  const watch = new LifeWatch(deps, vm, request, options);
  return watch.run(facts);
}

class LifeWatch {
  readonly #deps: LifeDeps;
  readonly #vm: Vm;
  readonly #request: LifeWish;
  readonly #options: CallOptions;
  readonly #sinceMs: number;
  readonly #signs: readonly Sought[];
  #runningSinceMs: number | undefined;

  constructor(deps: LifeDeps, vm: Vm, request: LifeWish, options: CallOptions) {
    this.#deps = deps;
    this.#vm = vm;
    this.#request = request;
    this.#options = options;
    this.#sinceMs = this.#now();
    this.#runningSinceMs = this.#sinceMs;
    this.#signs = request.signs.map((sign) => ({ sign, seen: false, never: false, afterMs: undefined, evidence: 'not looked for' }));
  }

  async run(facts: Readonly<Record<string, string>>): Promise<Life> {
    const over = new AbortController();
    const signal = this.#options.signal === undefined ? over.signal : AbortSignal.any([this.#options.signal, over.signal]);
    const beside = this.#signs.map((entry) => this.#watchBeside(entry, facts, signal));
    let error: JobError | undefined;
    try {
      await this.#watchVm();
    } catch (caught) {
      this.#options.signal?.throwIfAborted();
      if (!(caught instanceof JobError) && errorCode(caught) !== 'ONE_WAIT_TIMEOUT') throw caught;
      error = caught instanceof JobError ? caught : this.#silent();
    } finally {
      over.abort();
      await Promise.all(beside);
    }
    const alive = this.#isAlive();
    const signs = this.#signs.map(({ sign, seen, afterMs, evidence }) => ({ kind: sign.kind, seen, afterMs, evidence: evidence.slice(-EVIDENCE_CHARS) }));
    return { alive, signs, error: alive ? undefined : error, lifeMs: alive ? this.#lifeMs() : undefined };
  }

  /** With `any` the first, with `all` the last sign that was seen. */
  #lifeMs(): number {
    const seen = this.#signs.flatMap(({ afterMs }) => afterMs ?? []);
    return this.#request.need === 'any' ? Math.min(...seen) : Math.max(...seen);
  }

  async #watchVm(): Promise<void> {
    const id: VmId = this.#vm.id;
    await this.#deps.cloud.cloud.waitForVm(id, (vm) => this.#see(vm), {
      timeoutMs: this.#request.limitMs,
      what: `VM ${id} to show a sign of life`,
      ...(this.#options.signal && { signal: this.#options.signal }),
    });
  }

  #see(vm: Vm): Verdict {
    const state = vmStateName(vm);
    if (state === 'RUNNING') this.#runningSinceMs ??= this.#now();
    // The host did not answer for a moment: nobody knows whether it runs, and it may come back.
    else if (state === 'UNKNOWN') this.#runningSinceMs = undefined;
    else throw stopped(vm);
    const runningMs = this.#runningSinceMs === undefined ? undefined : this.#now() - this.#runningSinceMs;
    for (const entry of this.#signs) {
      const { sign } = entry;
      if (entry.seen || sign.kind === 'console' || sign.kind === 'probe') continue;
      const { verdict, evidence } = lookFor(sign, vm, runningMs);
      entry.evidence = evidence;
      if (verdict === 'seen') this.#note(entry, evidence);
      entry.never = verdict === 'never';
    }
    if (this.#isAlive()) return 'done';
    if (this.#cannotLive()) throw this.#silent();
    return 'wait';
  }

  #isAlive(): boolean {
    return this.#request.need === 'any' ? this.#signs.some(({ seen }) => seen) : this.#signs.every(({ seen }) => seen);
  }

  #cannotLive(): boolean {
    return this.#request.need === 'any' ? this.#signs.every(({ never }) => never) : this.#signs.some(({ never }) => never);
  }

  /** What is not in the VM's body. Never rejects: that it was not seen is in the entry. */
  async #watchBeside(entry: Sought, facts: Readonly<Record<string, string>>, signal: AbortSignal): Promise<void> {
    try {
      if (entry.sign.kind === 'console') await this.#watchConsole(entry, new RegExp(entry.sign.pattern), signal);
      if (entry.sign.kind === 'probe') await this.#watchProbe(entry, entry.sign.argv, facts, signal);
    } catch (error) {
      if (signal.aborted) return;
      entry.never = true;
      entry.evidence = serializeError(error).message;
    }
  }

  async #watchConsole(entry: Sought, pattern: RegExp, signal: AbortSignal): Promise<void> {
    const { console } = this.#deps;
    if (console === undefined) throw new TypeError('a console was planned and is not there');
    try {
      this.#note(entry, await console.match(pattern, { signal }));
    } catch (error) {
      const tail = console.tail();
      entry.evidence = tail === '' ? 'nothing was written to the console' : tail;
      throw error;
    }
  }

  async #watchProbe(entry: Sought, argv: readonly string[], facts: Readonly<Record<string, string>>, signal: AbortSignal): Promise<void> {
    const { probes } = this.#deps;
    if (probes === undefined) throw new TypeError('a probe was planned and cannot be run');
    while (!entry.seen) {
      const timeoutMs = Math.max(1, this.#request.limitMs - (this.#now() - this.#sinceMs));
      const { exitCode, output } = await probes.run({ argv, env: facts, timeoutMs }, { signal });
      entry.evidence = `${exitCode === undefined ? 'ended by us' : `exit ${exitCode}`}${output === '' ? '' : `: ${output}`}`;
      if (exitCode === 0) this.#note(entry, entry.evidence);
      else await this.#deps.cloud.clock.sleep(PROBE_PAUSE_MS, { signal });
    }
  }

  #note(entry: Sought, evidence: string): void {
    entry.seen = true;
    entry.afterMs = Math.round(this.#now() - this.#sinceMs);
    entry.evidence = evidence;
  }

  #silent(): JobError {
    const missing = this.#signs.filter(({ seen }) => !seen).map(({ sign, evidence }) => `${sign.kind} (${evidence.slice(-200)})`);
    return new JobError({
      code: 'JOB_NO_SIGN_OF_LIFE',
      message: `the guest of VM ${this.#vm.id} '${this.#vm.name}' showed no sign of life within ${Math.round(this.#request.limitMs / 1000)} s: ${missing.join(', ')}`,
      details: { vmId: this.#vm.id, missing: this.#signs.filter(({ seen }) => !seen).map(({ sign }) => sign.kind) },
      hint: 'restore the point under another name and look at its console; a longer limit helps a guest that boots slowly',
    });
  }

  #now(): number {
    return this.#deps.cloud.clock.monotonicMs();
  }
}

function stopped(vm: Vm): JobError {
  return new JobError({
    code: 'JOB_NO_SIGN_OF_LIFE',
    message: `VM ${vm.id} '${vm.name}' did not stay RUNNING: it is ${vmStateName(vm)}${vm.error === undefined ? '' : `: ${vm.error}`}`,
    details: { vmId: vm.id, state: vmStateName(vm) },
    hint: 'restore the point under another name and look at its console',
  });
}

/** What a probe is told of the VM. */
export function probeFacts(vm: Vm, more: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const addresses = vectors(vm.template['NIC']).flatMap((nic) => [nic['IP'], nic['IP6'], nic['IP6_GLOBAL']].flatMap((value) => text(value) ?? []));
  return {
    ONEVAULT_DRILL_VM_ID: String(vm.id),
    ONEVAULT_DRILL_VM_NAME: vm.name,
    ONEVAULT_DRILL_HOST: vm.history.at(-1)?.hostName ?? '',
    ONEVAULT_DRILL_DOMAIN: vm.deployId,
    ONEVAULT_DRILL_IPS: addresses.join(' '),
    ...more,
  };
}
