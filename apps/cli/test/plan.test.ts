import { diskId, type OneApi, type Vm, vmId } from '@onevault/one-client';
import { buildDatastore, buildDisk, buildUser, buildVm } from '@onevault/orchestrator/testing';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { CommandContext } from '../src/command-context.ts';
import { runPlan } from '../src/commands/plan.ts';
import type { PlanFlags } from '../src/commands/plan-flags.ts';
import { EXIT } from '../src/exit.ts';
import { type RecordedOutput, recordedOutput } from './support/recorder.ts';

const FLAGS: PlanFlags = { capture: 'auto', parallelDisks: '2' };
const PROXY = 1;

interface Cloud {
  readonly api: OneApi;
  readonly calls: string[];
  /** VM bodies that were handed out and are not yet done with. */
  readonly peak: () => number;
}

/** A cloud that makes its VMs as they are asked for, and counts the calls. */
function cloudOf(count: number, body: (id: number) => Partial<Vm>): Cloud {
  const calls: string[] = [];
  let held = 0;
  let peak = 0;
  const answers = {
    version: () => '7.0.2',
    datastores: () => [buildDatastore()],
    whoAmI: () => buildUser(),
    group: () => ({ id: 0, name: 'oneadmin', userIds: [], adminIds: [], template: {}, quotas: buildUser().quotas, xml: '' }),
    vm: (id: number) => buildVm({ id: vmId(id), ...body(id) }),
  };
  const api = new Proxy({} as OneApi & AsyncDisposable, {
    get(_target, property) {
      if (property === Symbol.asyncDispose) return async () => undefined;
      if (property === 'then') return undefined; // it is no promise
      if (property === 'fullVms')
        return async function* () {
          calls.push('fullVms');
          for (let id = 0; id < count; id++) {
            peak = Math.max(peak, ++held);
            yield buildVm({ id: vmId(id), ...body(id) });
            held--;
          }
        };
      return async (...args: [number]) => {
        calls.push(String(property));
        const answer = answers[property as keyof typeof answers];
        if (answer === undefined) throw new Error(`${String(property)} was not expected`);
        return (answer as (id: number) => unknown)(...args);
      };
    },
  });
  return { api, calls, peak: () => peak };
}

async function planned(cloud: Cloud, argv: readonly string[], flags: Partial<PlanFlags> = {}, output: RecordedOutput = recordedOutput()) {
  const context = {
    compose: { openCloud: async () => cloud.api },
    settings: { proxyVm: PROXY },
    output,
    signal: new AbortController().signal,
    onHangUp: () => ({ [Symbol.dispose]: () => undefined }),
    onLeave: () => ({ [Symbol.dispose]: () => undefined }),
  } as unknown as CommandContext;
  return { exit: await runPlan(context, argv, { ...FLAGS, ...flags }), output };
}

const GOOD = { disks: [buildDisk()] };
const RISKY = { disks: [buildDisk({ persistent: true })] };
const BAD = { lockLevel: 2, disks: [buildDisk()] };

describe('plan', () => {
  it('leaves with the worst verdict', async () => {
    const verdict = async (body: Partial<Vm>, flags: Partial<PlanFlags> = {}): Promise<number> =>
      (
        await planned(
          cloudOf(0, () => body),
          ['6'],
          flags,
        )
      ).exit;
    expect(await verdict(GOOD)).toBe(EXIT.ok);
    expect(await verdict(RISKY, { capture: 'snapshot' })).toBe(EXIT.degraded);
    expect(await verdict(BAD)).toBe(EXIT.partial);
  });

  it('shows each disk with what it costs, and for a problem what to do', async () => {
    const two = { disks: [buildDisk({ sizeMiB: 2048 }), buildDisk({ diskId: diskId(1), tmMad: 'fs_lvm', format: 'raw', target: 'vdb' })] };
    const { output } = await planned(
      cloudOf(0, () => two),
      ['6'],
    );
    const lines = output.out().split('\n');
    expect(lines[0]).toBe('VM 6 web RUNNING: impossible: it would be refused');
    expect(lines.find((line) => line.includes(' vda '))).toMatch(/2\.0 GiB +qcow2 +snapshot +crash-consistent +< 1 min 00 s +2\.0 GiB +2\.0 GiB +32\.5 s/);
    expect(lines.find((line) => line.includes(' vdb '))).toMatch(/refused/);
    expect(lines.filter((line) => line.includes('remedy:')).length).toBeGreaterThan(0);
    expect(lines.at(-2)).toMatch(/^plan result=impossible vms=1 ok=0 degraded=0 impossible=1 read=2\.0GiB /);
  });

  it('says what it takes for granted', async () => {
    const { output } = await planned(
      cloudOf(0, () => ({ disks: [buildDisk({ tmMad: 'ssh' })] })),
      ['6'],
    );
    expect(output.err()).toContain('ASSUMED_BLOCKCOPY');
  });

  it('goes over thousands of VMs in a handful of calls, holding one at a time', async () => {
    const cloud = cloudOf(5000, (id) => (id === 4000 ? BAD : GOOD));
    const { exit, output } = await planned(cloud, [], { all: true });
    expect(exit).toBe(EXIT.partial);
    expect(cloud.calls.length).toBeLessThan(10);
    expect(cloud.peak()).toBe(1);
    const lines = output.out().trimEnd().split('\n');
    expect(lines).toHaveLength(1 + 4999 + 2 + 1);
    expect(lines[0]).toMatch(/^ +ID {2}NAME +STATE +VERDICT/);
    expect(lines.at(-1)).toMatch(/^plan result=impossible vms=4999 ok=4998 degraded=0 impossible=1 /);
    expect(output.err()).toContain(`VM ${PROXY} is left out`);
  });

  it('as JSON has every figure, and no body of a VM', async () => {
    const secret = buildVm({ xml: '<VM><PASSWD>opensesame</PASSWD></VM>', ...RISKY });
    const { output } = await planned(
      cloudOf(0, () => secret),
      ['6'],
      { capture: 'snapshot' },
      recordedOutput({ mode: 'json' }),
    );
    const document = DOCUMENT.parse(JSON.parse(output.out()));
    expect(document.plans[0]?.disks[0]).toMatchObject({ method: 'snapshot', pause: 'moment', degraded: true });
    expect(document.summary).toMatchObject({ vms: 1, degraded: 1 });
    expect(output.out()).not.toContain('opensesame');
  });

  it('as JSON lines shows each VM as it is planned', async () => {
    const { output } = await planned(
      cloudOf(3, () => GOOD),
      [],
      { all: true },
      recordedOutput({ mode: 'jsonl' }),
    );
    const types = output
      .out()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).type);
    expect(types).toEqual(['plan.vm', 'plan.vm', 'plan']);
  });
});

const estimate = z.object({ readBytes: z.number(), copyBytes: z.number(), busyMs: z.number(), pauseMs: z.number() });
const reasons = z.array(z.object({ code: z.string(), text: z.string(), remedy: z.string().optional() }));
const DOCUMENT = z.object({
  schemaVersion: z.literal(1),
  type: z.literal('plan'),
  plans: z.array(
    z.object({
      vm: z.object({ id: z.number(), name: z.string(), state: z.string(), hypervisor: z.string().nullable() }),
      plannedFor: z.string().nullable(),
      verdict: z.enum(['ok', 'degraded', 'impossible']),
      reasons,
      notes: reasons,
      assumptions: reasons,
      estimate,
      disks: z.array(
        z.looseObject({ verdict: z.enum(['capture', 'skip', 'refuse']), reasons, estimate, residue: z.array(z.string()), moment: z.enum(['start', 'end']) }),
      ),
    }),
  ),
  summary: z.object({ vms: z.number(), ok: z.number(), degraded: z.number(), impossible: z.number(), estimate }),
});
