import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { Scope as NewScope, type Scope, silentLogger } from '@onevault/base';
import { FakeClock, requiresCommand, testWith } from '@onevault/base/testing';
import type { RunRecord } from '@onevault/run-queue';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type MetricsDeps, openMetrics } from '../../src/metrics/server-metrics.ts';
import { backupPolicy, fleet, inventoryVm, repositoryStanding, runRecord, serverSettings } from '../../testing/index.ts';

const NOW = Date.UTC(2026, 10, 10, 12);
const HOUR = 3_600_000;
const PACKAGING = new URL('../../../../packaging/', import.meta.url);

describe('metrics', () => {
  let scope: Scope;
  beforeEach(() => {
    scope = new NewScope();
  });
  afterEach(() => scope[Symbol.asyncDispose]());

  async function world(
    overrides: Partial<MetricsDeps> & { vms?: Parameters<typeof fleet>[0]['vms']; capturedMs?: (id: number) => number | undefined; before?: RunRecord[] } = {},
  ) {
    const listeners = new Set<(run: RunRecord) => void>();
    const {
      vms = [inventoryVm(1), inventoryVm(2), inventoryVm(3, { labels: [] })],
      capturedMs = (id: number) => (id === 3 ? undefined : NOW - id * 20 * HOUR),
    } = overrides;
    const metrics = await openMetrics({
      clock: new FakeClock({ startMs: NOW }),
      logger: silentLogger,
      ...fleet({
        vms,
        capturedMs,
        repositories: [repositoryStanding(), repositoryStanding({ name: 'away', reachable: false, storedBytes: undefined, freeBytes: undefined })],
      }),
      settings: () => serverSettings(),
      runs: {
        list: async () => overrides.before ?? [],
        onEnded: (listener) => {
          listeners.add(listener);
          return { [Symbol.dispose]: () => void listeners.delete(listener) };
        },
      },
      queue: async () => ({ queued: 4, running: 2, waitingSince: new Date(NOW - 90_000) }),
      workers: { list: async () => [{ name: 'w1', proxyVm: undefined, lastSeenAt: new Date(NOW - 1000), running: 2, slots: 3, datastores: [] }] },
      orphans: () => 2,
      notifications: () => [{ channel: 'mail', delivered: 7, failures: 1, givenUp: 0, pending: 3 }],
      version: '1.2.3',
      ...overrides,
    });
    scope.use(metrics);
    return { end: (run: RunRecord) => listeners.forEach((listener) => void listener(run)), text: () => metrics.render(), listeners };
  }

  it('tell how every VM stands, by policy, and the sums', async () => {
    const text = await (await world()).text();
    expect(text).toContain('onevault_vms{protection="protected"} 1\n');
    expect(text).toContain('onevault_vms{protection="out-of-rpo"} 1\n');
    expect(text).toContain('onevault_vms{protection="unprotected"} 1\n');
    expect(text).toContain(`onevault_vm_last_success_timestamp_seconds{vm_id="1",vm_name="vm-1",policy="nightly"} ${(NOW - 20 * HOUR) / 1000}\n`);
    expect(text).toContain(`onevault_vm_late_seconds{vm_id="2",vm_name="vm-2",policy="nightly"} ${(14 * HOUR) / 1000}\n`);
    expect(text).not.toContain('onevault_vm_late_seconds{vm_id="1"');
    expect(text).toContain(`onevault_policy_oldest_success_timestamp_seconds{policy="nightly"} ${(NOW - 40 * HOUR) / 1000}\n`);
    expect(text).toContain('onevault_repository_reachable{repository="away"} 0\n');
    expect(text).toContain('onevault_repository_dedup_ratio{repository="main"} 4\n');
    expect(text).not.toContain('onevault_repository_free_bytes{repository="away"');
    expect(text).toMatch(/onevault_build_info\{version="1.2.3",node="\d+[^"]*"\} 1\n/);
    expect(text).toContain('onevault_queue_oldest_wait_seconds 90\n');
    expect(text).toContain('onevault_workers{state="up"} 1\n');
    expect(text).toContain('onevault_notifications_pending{channel="mail"} 3\n');
  });

  it('count runs as they end, by outcome and code, and what backups moved', async () => {
    const { end, text } = await world();
    const report = { durationMs: 60_000, stats: { storedBytes: 500 }, disks: [{ readBytes: 4000 }, { readBytes: 96 }] };
    end(runRecord({ vmId: 1, vmName: 'vm-1', report, schedule: { policy: 'nightly', slot: new Date(NOW) } }));
    end(runRecord({ vmId: 2, state: 'failed', failure: { code: 'ONE_LOCKED', message: 'x' } }));
    end(runRecord({ vmId: 2, state: 'failed', failure: { code: 'not a code\nforged 1', message: 'x' } }));
    const said = await text();
    expect(said).toContain('onevault_runs_total{kind="backup",outcome="succeeded",policy="nightly",repository=""} 1\n');
    expect(said).toContain('onevault_run_failures_total{kind="backup",code="ONE_LOCKED"} 1\n');
    expect(said).toContain('onevault_run_failures_total{kind="backup",code="OTHER"} 1\n');
    expect(said).toContain('onevault_backup_read_bytes_total{policy="nightly"} 4096\n');
    expect(said).toContain('onevault_vm_last_backup_stored_bytes{vm_id="1",vm_name="vm-1"} 500\n');
    expect(said).toContain('onevault_run_duration_seconds_count{kind="backup"} 3\n');
  });

  it('name the repository whose maintenance it was, and no policy', async () => {
    const { end, text } = await world();
    end(runRecord({ kind: 'gc', schedule: { policy: 'repository main', slot: new Date(NOW) } }));
    expect(await text()).toContain('onevault_runs_total{kind="gc",outcome="succeeded",policy="",repository="main"} 1\n');
  });

  testWith([requiresCommand('promtool', 'prometheus')], 'are what promtool takes for good metrics', async () => {
    const { end, text } = await world();
    const report = { durationMs: 60_000, stats: { storedBytes: 500 }, disks: [{ readBytes: 4000 }] };
    end(runRecord({ vmId: 1, vmName: 'vm-1', report, schedule: { policy: 'nightly', slot: new Date(NOW) } }));
    end(runRecord({ state: 'failed', failure: { code: 'X_Y', message: '' } }));
    const said = await text();
    const complaints = await new Promise<string>((done) => {
      const promtool = execFile('promtool', ['check', 'metrics'], (_error, stdout, stderr) => done(`${stdout}${stderr}`));
      promtool.stdin?.end(said);
    });
    expect(complaints).toBe('');
  });

  it('know the last backup of each VM again after a restart, and forget VMs that went', async () => {
    const run = (vmId: number, durationMs: number) => runRecord({ vmId, vmName: `vm-${vmId}`, report: { durationMs } });
    const said = await (await world({ before: [run(1, 3000), run(1, 9000), run(99, 1000)] })).text();
    expect(said).toContain('onevault_vm_last_backup_duration_seconds{vm_id="1",vm_name="vm-1"} 3\n');
    expect(said).not.toContain('vm_id="99"');
    expect(said).not.toContain('onevault_runs_total{');
  });

  it('are whole lines whatever a VM is called', async () => {
    const said = await (await world({ vms: [inventoryVm(1, { name: 'a"b\\c\nonevault_forged 1\r\u0000' })] })).text();
    expect(said).not.toMatch(/^onevault_forged/m);
    expect(said).toContain(String.raw`vm_name="a\"b\\c onevault_forged 1  "`);
    const line = /^(#.*|[a-zA-Z_:][\w:]*(\{([a-zA-Z_]\w*="([^"\\\n]|\\[\\n"])*",?)*\})? (Na[nN]|[+-]?Inf|[-+\d.e]+))?$/;
    for (const each of said.split('\n')) expect(each).toMatch(line);
  });

  it('leave out what nobody has counted', async () => {
    expect(await (await world({ orphans: () => undefined })).text()).not.toMatch(/^onevault_orphans /m);
  });

  it('say what could not be asked, and leave it out rather than tell old figures', async () => {
    let isAway = false;
    const { text } = await world({
      queue: async () => {
        if (isAway) throw new Error('no database');
        return { queued: 4, running: 2, waitingSince: undefined };
      },
    });
    expect(await text()).toContain('onevault_queue_runs 4\n');
    isAway = true;
    const said = await text();
    expect(said).toContain('onevault_scrape_problems 1\n');
    expect(said).not.toMatch(/^onevault_queue_runs /m);
    expect(said).toContain('onevault_vms{protection="protected"} 1\n');
  });

  it('of 5 000 VMs under three policies come in less than 300 ms, and of 20 000 no more series than are allowed', async () => {
    const vms = Array.from({ length: 5000 }, (_, i) => inventoryVm(i));
    const settings = serverSettings({ backupPolicies: ['a', 'b', 'c'].map((name) => backupPolicy(name)) });
    const { text } = await world({ vms, capturedMs: (id) => NOW - id * 60_000, settings: () => settings });
    await text();
    const took = await fastestOf(3, text);
    process.stdout.write(`scrape of 5 000 VMs: ${took.toFixed(0)} ms\n`);
    expect(took).toBeLessThan(300);
    const many = await (await world({ vms: Array.from({ length: 20_000 }, (_, i) => inventoryVm(i)) })).text();
    expect(many.match(/^onevault_vm_last_success_timestamp_seconds\{/gm)?.length ?? 0).toBeLessThanOrEqual(10_000);
    expect(many).toContain('onevault_metrics_vms_left_out 10000\n');
  });

  it('have everything that the alert rules and the dashboard ask for', async () => {
    const { end, text } = await world();
    end(runRecord({ vmId: 1, report: {} }));
    end(runRecord({ state: 'failed', failure: { code: 'X_Y', message: '' } }));
    const names = new Set((await text()).split('\n').flatMap((line) => /^([a-zA-Z_:][\w:]*)[ {]/.exec(line)?.[1] ?? []));
    const rules = parse(await readFile(new URL('prometheus/onevault.rules.yml', PACKAGING), 'utf8')) as RuleFile;
    const dashboard = JSON.parse(await readFile(new URL('grafana/onevault.json', PACKAGING), 'utf8')) as { panels: { targets: { expr: string }[] }[] };
    const alerts = rules.groups.flatMap((group) => group.rules);
    const expressions = [...alerts.map(({ expr }) => expr), ...dashboard.panels.flatMap((panel) => panel.targets.map(({ expr }) => expr))];
    const asked = new Set(expressions.flatMap((expr) => expr.match(/\b(onevault|nodejs|process)_\w+/g) ?? []));
    expect(asked.size).toBeGreaterThan(20);
    expect([...asked].filter((name) => !names.has(name))).toEqual([]);
    for (const { alert, labels, annotations } of alerts) expect([alert, labels.severity, annotations.summary, annotations.runbook].every(Boolean)).toBe(true);
    expect(new Set(alerts.map(({ alert }) => alert)).size).toBe(alerts.length);
    for (const expr of expressions) expect(balance(expr)).toBe(0);
  });
});

interface RuleFile {
  readonly groups: readonly {
    readonly rules: readonly { alert: string; expr: string; labels: { severity: string }; annotations: { summary: string; runbook: string } }[];
  }[];
}

function balance(text: string): number {
  return [...text].reduce((depth, c) => depth + ('([{'.includes(c) ? 1 : ')]}'.includes(c) ? -1 : 0), 0);
}

async function fastestOf(times: number, work: () => Promise<unknown>): Promise<number> {
  const took: number[] = [];
  for (let i = 0; i < times; i++) {
    const began = performance.now();
    await work();
    took.push(performance.now() - began);
  }
  return Math.min(...took);
}
