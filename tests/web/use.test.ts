import { readFile } from 'node:fs/promises';
import { gate } from '@onevault/backup-format/testing';
import { Refusal } from '@onevault/web/testing';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { describeWith, requiresCommand } from '../support/requires.ts';
import { keepScreenshot, signIn, violations } from './browser.ts';
import { type FakePages, openFakePagesFor } from './fake-pages.ts';

describeWith([requiresCommand('chromium', 'apt-get install chromium')], 'used in Chromium', () => {
  let pages: FakePages;
  let page: Page;

  openFakePagesFor((opened) => {
    pages = opened;
    page = opened.page;
  });

  const startBackup = (): string => pages.server.api.state.runs.start({ kind: 'backup', vmId: 9, repository: 'main', mode: 'auto' }, 'oneadmin', 'proxy-0009');
  const stateOfRun = (text: string): Promise<void> => page.getByRole('heading', { level: 1 }).getByText(text, { exact: true }).waitFor();

  it('a stream of events that is cut goes on behind the last event: nothing is missing in the log, nothing twice', async () => {
    const { api } = pages.server;
    const runId = startBackup();
    await pages.go(`/runs/${runId}`);
    api.state.runs.tick();
    api.state.runs.tick();
    await stateOfRun('running');
    await page.getByText('disk 1 is read in full').waitFor();
    const opened = api.resumed.length;
    api.cutStreams();
    await page.getByRole('status', { name: /^not live/ }).waitFor();
    // This happens while nobody listens.
    for (let ticks = 0; ticks < 3; ticks += 1) api.state.runs.tick();
    await page.getByRole('status', { name: /^live/ }).waitFor();
    await expect.poll(() => api.resumed.slice(opened).filter((id) => id !== undefined).length).toBeGreaterThan(0);
    for (let ticks = 0; ticks < 12; ticks += 1) api.state.runs.tick();
    await stateOfRun('succeeded');
    const lines = await page.locator('.ov-log > div').allTextContents();
    expect(new Set(lines).size).toBe(lines.length);
    expect(lines[0]).toContain('waits for its turn');
    expect(lines.at(-1)).toContain('ends: complete');
    expect(lines.filter((line) => line.includes('done in')).length).toBe(3);
  });

  it('the page of a VM asks for all that stands on it at once, and shows it when the VM is known', async () => {
    const vmUrl = `${pages.server.url}/api/v1/vms/1`;
    const answer = gate();
    await page.route(vmUrl, (route) => answer.until.then(() => route.continue()));
    const points = page.waitForRequest((request) => request.url().startsWith(`${vmUrl}/points`));
    await page.goto(`${pages.server.url}/vms/1`);
    await points;
    expect(await page.getByRole('heading', { name: 'Restore points' }).isVisible()).toBe(false);
    answer.open();
    await page.getByRole('heading', { name: 'Restore points' }).waitFor();
    await page.unrouteAll();
  });

  it('a run is cancelled once that is confirmed, and says so without being loaded again', async () => {
    const runId = startBackup();
    await pages.go(`/runs/${runId}`);
    pages.server.api.state.runs.tick();
    await stateOfRun('running');
    await page.getByRole('button', { name: 'Cancel', exact: true }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel', exact: true }).click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(pages.server.api.state.runs.get(runId)?.state).toBe('running');
    await page.getByRole('button', { name: 'Cancel', exact: true }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel the run' }).click();
    await stateOfRun('cancelled');
    expect(pages.server.api.state.runs.get(runId)?.state).toBe('cancelled');
    await page.getByRole('button', { name: 'Try again' }).waitFor();
  });

  it('a restore point is held with a reason, cannot be forgotten meanwhile, and is released', async () => {
    await pages.go(`/points/main/${pages.pointId}`);
    await page.getByRole('textbox', { name: 'Reason' }).fill('ticket 42');
    await page.getByLabel('Until, or for ever').fill('2027-03-01');
    await page.getByRole('button', { name: 'Hold', exact: true }).click();
    await page.getByText('held: ticket 42').waitFor();
    expect(pages.server.api.state.changedPoints.get(pages.pointId)?.held).toEqual({ reason: 'ticket 42', until: '2027-03-01T22:59:59.000Z' });
    expect(await page.getByRole('button', { name: 'Forget' }).isDisabled()).toBe(true);
    await page.getByRole('button', { name: 'Release' }).click();
    await page.getByRole('textbox', { name: 'Reason' }).waitFor();
    expect(pages.server.api.state.changedPoints.get(pages.pointId)?.held).toBeUndefined();
    expect(await page.getByRole('button', { name: 'Forget' }).isDisabled()).toBe(false);
  });

  it('a token shows its secret once, and is ended', async () => {
    await pages.go('/tokens');
    await page.getByRole('textbox', { name: 'Name' }).fill('nightly-report');
    await page.getByLabel('Role').selectOption('operator');
    await page.getByRole('button', { name: 'Make it' }).click();
    const secret = (await page.locator('.ov-notice-ok code').first().textContent()) ?? '';
    expect(secret).toMatch(/^ov_\S{20,}$/);
    await page.getByRole('cell', { name: 'nightly-report' }).waitFor();
    await pages.go('/tokens');
    await page.getByRole('cell', { name: 'nightly-report' }).waitFor();
    expect(await page.content()).not.toContain(secret);
    await page.getByRole('button', { name: 'End', exact: true }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'End it' }).click();
    await page.getByText('None yet.').waitFor();
    expect(pages.server.api.state.tokens.size).toBe(0);
  });

  it('a file is found in a restore point and downloaded as it is there', async () => {
    await pages.go(`/points/main/${pages.pointId}/files`);
    await page.getByLabel('file system').selectOption('/dev/sda1');
    await page.getByRole('link', { name: 'etc', exact: true }).click();
    const download = page.waitForEvent('download');
    await page.getByRole('link', { name: 'Download: passwd' }).click();
    expect((await download).suggestedFilename()).toBe('passwd');
    expect(await readFile(await (await download).path(), 'utf8')).toBe('root:x:0:0:root:/root:/bin/bash\n');
    await page.getByRole('navigation', { name: 'directory' }).getByRole('link', { name: '/dev/sda1:/' }).click();
    await page.getByText('swapfile').waitFor();
  });

  it('what the server refuses is said with reason, remedy and code, and what was typed stays', async () => {
    await pages.go('/vms/1');
    await page.getByRole('button', { name: 'Back up', exact: true }).click();
    pages.server.api.refuseNext('startRun', new Refusal(409, 'SERVER_VM_BUSY', 'another run works on VM 1', { hint: 'wait for it, or cancel it' }));
    await page.getByRole('radio', { name: 'everything, and look every block up' }).check();
    await page.getByRole('button', { name: 'Back up now' }).click();
    const alert = page.getByRole('dialog').getByRole('alert');
    await alert.getByText('another run works on VM 1').waitFor();
    await alert.getByText('wait for it, or cancel it').waitFor();
    await alert.getByText('SERVER_VM_BUSY').waitFor();
    expect(await page.getByRole('radio', { name: 'everything, and look every block up' }).isChecked()).toBe(true);
    await keepScreenshot(page, 'use-refused');
    expect(await violations(page)).toEqual([]);
    await page.getByRole('button', { name: 'Back up now' }).click();
    await page.getByRole('heading', { name: 'Log' }).waitFor();
  });

  it('a page whose server fails says so, and comes when it is tried again', async () => {
    pages.server.api.refuseNext('listPolicies', new Refusal(500, 'SERVER_DEFECT', 'the server made a mistake', { hint: 'look into its log for q-1' }));
    await page.goto(`${pages.server.url}/policies`);
    await page.getByRole('alert').getByText('SERVER_DEFECT').waitFor();
    await page.getByRole('alert').getByText('look into its log for q-1').waitFor();
    await page.getByRole('alert').getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('link', { name: 'nightly' }).waitFor();
    expect(await page.getByRole('alert').count()).toBe(0);
  });

  it.each([
    ['/vms/9999', 'VM', 'All VMs'],
    ['/vms/abc', 'VM', 'All VMs'],
    ['/vms/-1', 'VM', 'All VMs'],
    ['/runs/none', 'run', 'All runs'],
    ['/points/main/none', 'restore point', 'All VMs, and their restore points'],
    ['/points/main/none/files', 'restore point', 'All VMs, and their restore points'],
    ['/policies/none', 'policy', 'All policies'],
  ])('%s: that there is none is said once, and nothing is offered but a way on', async (path, what, way) => {
    await pages.go(path);
    await page.getByRole('heading', { level: 1, name: `There is no such ${what}`, exact: true }).waitFor();
    const main = page.getByRole('main');
    expect(await main.getByRole('alert').count()).toBe(0);
    expect(await main.getByRole('heading').count()).toBe(1);
    expect(await main.getByRole('button').count()).toBe(0);
    expect(await main.getByRole('link').allTextContents()).toEqual([way]);
    expect(await main.textContent()).not.toContain('NaN');
  });

  it('a page whose own question fails says it once and is there when asked again', async () => {
    pages.server.api.refuseNext('getVm', new Refusal(500, 'SERVER_INTERNAL', 'something went wrong inside the server'));
    await page.goto(`${pages.server.url}/vms/1`);
    await page.getByRole('heading', { level: 1, name: 'The VM cannot be shown' }).waitFor();
    expect(await page.getByRole('alert').count()).toBe(1);
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('button', { name: 'Back up', exact: true }).waitFor();
  });

  it.each([
    ['/runs/p-failed', 'Try again'],
    ['/points/main/$point', 'Drill'],
    ['/infrastructure', 'Take them away'],
    ['/repositories', 'Collect garbage'],
  ])('%s: a run that is refused is said once, where it was asked for (%s)', async (path, button) => {
    await pages.go(path.replace('$point', pages.pointId));
    pages.server.api.refuseNext('startRun', new Refusal(409, 'SERVER_VM_BUSY', 'another run works on it', { hint: 'wait for it' }));
    await page.getByRole('button', { name: button, exact: true }).first().click();
    await page.getByRole('main').getByRole('alert').getByText('wait for it').waitFor();
    expect(await page.getByText('another run works on it', { exact: false }).count()).toBe(1);
  });

  it('a repository is added once it is known what is there: another place is looked at anew, and one that cannot be used is not offered', async () => {
    await pages.go('/repositories');
    await page.getByRole('button', { name: 'Add one' }).click();
    const main = page.getByRole('main');
    await main.getByRole('textbox', { name: 'Name' }).fill('new');
    const look = async (place: string): Promise<void> => {
      await main.getByRole('textbox', { name: 'Place' }).fill(place);
      await main.getByRole('button', { name: 'See what is there' }).click();
    };
    await look('/srv/www');
    await main.getByRole('alert').getByText('Something else is there').waitFor();
    await look('s3://bucket/vault');
    await main.getByRole('alert').getByText('correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY').waitFor();
    expect(await main.getByRole('button', { name: /^(Make it there|Add it)$/ }).count()).toBe(0);
    await look('/vault');
    await main.getByText('mount the storage for backups there first').waitFor();
    await keepScreenshot(page, 'use-repository-place');
    expect(await violations(page)).toEqual([]);
    await main.getByRole('button', { name: 'Make it there' }).waitFor();
    await main.getByRole('textbox', { name: 'Place' }).fill('/mnt/backup');
    expect(await main.getByRole('button', { name: 'Make it there' }).count()).toBe(0);
    await main.getByRole('button', { name: 'See what is there' }).click();
    await main.getByText('encrypted, and the secret opens it').waitFor();
    await main.getByRole('button', { name: 'Add it' }).click();
    await main.getByRole('heading', { name: 'new', exact: true }).waitFor();
    expect(pages.server.api.state.repositories.get('new')?.place).toBe('/mnt/backup');
    expect(await main.getByRole('textbox', { name: 'Place' }).count()).toBe(0);
    pages.server.api.state.repositories.delete('new');
  });

  it('a session that ends while one looks asks to sign in, by itself, and leads back to the same page', async () => {
    await pages.go('/vms?search=web&sort=id');
    pages.server.api.endSessions();
    await page.getByRole('button', { name: 'Sign in', exact: true }).waitFor();
    await keepScreenshot(page, 'use-session-over');
    await signIn(page, 'oneadmin');
    await page.locator('[role=row][data-index="0"]').getByText('web-0000').waitFor();
    expect(new URL(page.url()).pathname + new URL(page.url()).search).toBe('/vms?search=web&sort=id');
    expect(await page.getByRole('textbox', { name: 'search by name or selector' }).inputValue()).toBe('web');
  });

  it('who signs in after another sees nothing of theirs', async () => {
    await pages.go('/users');
    await page.getByText('oneadmin (you)').waitFor();
    await page.getByRole('button', { name: /^signed in as/ }).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await signIn(page, 'vera');
    await page.getByRole('alert').getByText('SERVER_ROLE').waitFor();
    expect(await page.getByText('oneadmin (you)').count()).toBe(0);
    await page.getByRole('button', { name: /^signed in as vera, viewer/ }).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await signIn(page, 'oneadmin');
    expect(pages.faults).toEqual([]);
  });

  describe('by role', () => {
    it.each([
      ['vera', 'viewer', 0],
      ['olga', 'operator', 1],
    ] as const)('%s, a %s, is offered what the role may and nothing else', async (user, role, may) => {
      await using other = await pages.as(user);
      const offered = async (path: string, names: readonly string[]): Promise<string[]> => {
        await other.go(path);
        const there = await other.page.getByRole('main').locator('button, a').allTextContents();
        return names.filter((name) => there.some((text) => text.trim() === name));
      };
      const ifOperator = (...names: string[]): string[] => (may === 0 ? [] : names);
      const menu = await other.page.getByRole('navigation', { name: 'main' }).getByRole('link').allTextContents();
      expect(menu.map((text) => text.trim())).toEqual([
        'Home',
        'VMs',
        'Runs',
        'Policies',
        'Snapshots',
        ...ifOperator('Restore'),
        'Repositories',
        'Proxies and doctor',
        'Reports',
        'API tokens',
      ]);
      const ofVm = ['Back up', 'Restore', 'Hold', 'Take a snapshot', 'Revert', 'Undo'];
      expect(await offered('/vms/1', ofVm)).toEqual(ifOperator(...ofVm));
      expect(await offered(`/points/main/${pages.pointId}`, ['Restore', 'Forget', 'Hold', 'Drill'])).toEqual(ifOperator('Restore', 'Forget', 'Hold', 'Drill'));
      expect(await offered('/runs/p-failed', ['Try again'])).toEqual(ifOperator('Try again'));
      expect(await offered('/policies', ['Backup policy', 'Snapshot policy'])).toEqual([]);
      expect(await offered('/policies/nightly', ['Keep the changes', 'Remove'])).toEqual([]);
      expect(await offered('/repositories', ['Add one', 'Change', 'Forget it'])).toEqual([]);
      await other.go('/restore');
      expect(await other.page.getByText('Your role sees restore points and restores none').count()).toBe(may === 0 ? 1 : 0);
      // Who types the address is told which role it takes.
      for (const path of ['/users', '/audit', '/settings']) {
        await other.go(path);
        await other.page.getByRole('alert').getByText(`the role ${role} may not do this`).first().waitFor();
        await other.page.getByRole('alert').getByText('it needs admin').first().waitFor();
      }
      await other.go('/tokens');
      expect(await other.page.getByLabel('Role').getByRole('option').allTextContents()).toEqual(['viewer', 'operator'].slice(0, may + 1));
      expect(other.faults).toEqual([]);
    });
  });
});
