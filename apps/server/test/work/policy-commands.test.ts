import { readFile } from 'node:fs/promises';
import { systemClock } from '@onevault/base';
import { parsePolicy } from '@onevault/policies';
import { describe, expect, it } from 'vitest';
import { Redactor } from '../../src/logs/redactor.ts';
import { betweenCommands } from '../../src/work/policy-commands.ts';
import { RunLedger } from '../../src/work/run-ledger.ts';

const policyWith = (commands: object) =>
  parsePolicy({
    kind: 'backup',
    name: 'nightly',
    repository: 'main',
    timezone: 'UTC',
    select: { include: ['name=web'] },
    schedules: [{ at: 'every 1d' }],
    commands,
  });

function stage() {
  const events: { type: string; data: Readonly<Record<string, unknown>> }[] = [];
  const ledger = new RunLedger({ event: (type, data) => void events.push({ type, data }), progress: () => undefined }, systemClock);
  const env = {
    PATH: process.env['PATH'],
    ONEVAULT_PASSPHRASE: 'hush-hush',
    AWS_SECRET_ACCESS_KEY: 'hush-hush',
    DATABASE_URL: 'postgresql://vault:hush-hush@db/vault',
    PGPASSWORD: 'hush-hush',
  };
  const redactor = new Redactor();
  return { events, redactor, deps: { env, clock: systemClock, ledger, redactor, run: { id: 'run-1', vmId: 6, vmName: 'web' } } };
}

describe('commands of a policy', () => {
  it('run around the work and know what it is about, but none of our secrets', async () => {
    const { events, deps } = stage();
    const show = { command: ['env'] };
    expect(await betweenCommands(deps, policyWith({ before: show, after: show }), {}, async () => 'done')).toBe('done');
    const [before = '', after = ''] = events.filter(({ type }) => type === 'command.finished').map(({ data }) => String(data['output']));
    for (const line of ['ONEVAULT_PHASE=before', 'ONEVAULT_VM_ID=6', 'ONEVAULT_VM_NAME=web', 'ONEVAULT_POLICY=nightly', 'ONEVAULT_RUN_ID=run-1'])
      expect(before.split('\n')).toContain(line);
    expect(after.split('\n')).toContain('ONEVAULT_OUTCOME=succeeded');
    expect(JSON.stringify(events)).not.toContain('hush-hush');
  });

  it('have no shell: what looks like one is an argument', async () => {
    const { events, deps } = stage();
    await betweenCommands(deps, policyWith({ before: { command: ['printf', '%s', '$HOME; exit 3'] } }), {}, async () => undefined);
    expect(events.at(-1)?.data).toMatchObject({ output: '$HOME; exit 3', exitCode: 0 });
  });

  it.each([
    ['fails', ['false']],
    ['does not exist', ['/no/such/program']],
  ])('before the work, when one %s: it is not begun, and what comes behind it runs all the same', async (_, command) => {
    const { events, deps } = stage();
    let worked = false;
    const policy = policyWith({ before: { command }, after: { command: ['true'] } });
    const work = async (): Promise<void> => {
      worked = true;
    };
    await expect(betweenCommands(deps, policy, {}, work)).rejects.toMatchObject({ code: 'SERVER_COMMAND_FAILED' });
    expect(worked).toBe(false);
    expect(events.filter(({ type, data }) => type === 'command.started' && data['phase'] === 'after')).toHaveLength(1);
  });

  it('that may fail are told, and the work goes on', async () => {
    const { events, deps } = stage();
    expect(await betweenCommands(deps, policyWith({ before: { command: ['false'], onFailure: 'continue' } }), {}, async () => 'done')).toBe('done');
    expect(events.at(-1)).toMatchObject({ type: 'warning', data: { code: 'COMMAND_FAILED' } });
  });

  it('that take too long are ended with all that they started', async () => {
    const { events, deps } = stage();
    const policy = policyWith({ before: { command: ['sh', '-c', 'sleep 600 & echo $!; wait'], timeout: '1s' } });
    await expect(betweenCommands(deps, policy, {}, async () => undefined)).rejects.toMatchObject({ code: 'SERVER_COMMAND_FAILED' });
    const pid = Number(events.find(({ type }) => type === 'command.finished')?.data['output']);
    expect(pid).toBeGreaterThan(0);
    // Gone, or a corpse that nobody has collected.
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '0 (sleep) Z');
    expect(stat).toMatch(/\) Z/);
  });

  it('that take too long are ended with all that they started, what does not listen to a kind word too', async () => {
    const { events, deps } = stage();
    const stubborn = `trap '' TERM; sleep 600 </dev/null >/dev/null 2>&1 & echo $!; trap - TERM; exec sleep 600`;
    const policy = policyWith({ before: { command: ['sh', '-c', stubborn], timeout: '1s' } });
    await expect(betweenCommands(deps, policy, {}, async () => undefined)).rejects.toMatchObject({ code: 'SERVER_COMMAND_FAILED' });
    const pid = Number(events.find(({ type }) => type === 'command.finished')?.data['output']);
    expect(pid).toBeGreaterThan(0);
    await expect.poll(() => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '0 (sleep) Z')).toMatch(/\) Z/);
  });

  it('say much, of which the end is kept, without what must not be known', async () => {
    const { events, redactor, deps } = stage();
    redactor.know('the-passphrase-of-main');
    const command = ['sh', '-c', 'seq 1 100000; echo the-passphrase-of-main; echo end'];
    await betweenCommands(deps, policyWith({ before: { command } }), {}, async () => undefined);
    const output = String(events.find(({ type }) => type === 'command.finished')?.data['output']);
    expect(output.length).toBeLessThanOrEqual(2000);
    expect(output).toMatch(/100000\n\[redacted\]\nend$/);
  });

  it('are told that the run was stopped, and end with it themselves', async () => {
    const { events, deps } = stage();
    const stop = new AbortController();
    const policy = policyWith({ before: { command: ['sh', '-c', 'sleep 600 & wait'] }, after: { command: ['sh', '-c', 'echo $ONEVAULT_OUTCOME'] } });
    const running = betweenCommands(deps, policy, { signal: stop.signal }, async () => undefined);
    setTimeout(() => stop.abort(), 200);
    await expect(running).rejects.toMatchObject({ name: 'AbortError' });
    expect(events.filter(({ type }) => type === 'command.finished').map(({ data }) => [data['phase'], data['output']])).toEqual([['after', 'cancelled']]);
  });

  it('behind work that failed do not hide its failure', async () => {
    const { deps } = stage();
    const work = async (): Promise<never> => {
      throw new Error('the work');
    };
    await expect(betweenCommands(deps, policyWith({ after: { command: ['false'] } }), {}, work)).rejects.toThrow('the work');
  });
});
