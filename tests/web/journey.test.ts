import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openSecondShell, type SecondShell, startCommand } from '../support/command-line.ts';
import { describeWith, requiresCommand } from '../support/requires.ts';
import { keepScreenshot, launchChromium, openPage, settle, signIn, violations } from './browser.ts';

const PATIENCE_MS = 240_000;

describeWith([requiresCommand('chromium', 'apt-get install chromium')], 'from a fresh state directory to a restored VM, in Chromium', () => {
  let shell: SecondShell;
  let server: ReturnType<typeof startCommand>;
  let browser: Awaited<ReturnType<typeof launchChromium>>;
  let watched: Awaited<ReturnType<typeof openPage>>;
  let vmId: number;
  let url = '';

  beforeAll(async () => {
    shell = await openSecondShell('0.2');
    vmId = (await shell.control.createVm({ name: 'web', disks: [{ sizeMiB: 64 }, { sizeMiB: 16 }], volatileMiB: [], nics: [] })).vmId;
    server = startCommand(['server', '--listen', '127.0.0.1:0', '--state-dir', join(shell.dir, 'server')], shell.env);
    await server.sees(/ready at http/);
    url = /ready at (\S+?)\/?\s/.exec(server.stdout())?.[1] ?? '';
    browser = await launchChromium();
    watched = await openPage(browser, url);
  }, PATIENCE_MS);
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    server?.process.kill('SIGTERM');
    await server?.finished;
    await shell?.[Symbol.asyncDispose]();
  }, PATIENCE_MS);

  let shots = 0;
  /** What stands there now is kept, and axe finds nothing serious in it. */
  async function look(page: Page, name: string): Promise<void> {
    shots += 1;
    await keepScreenshot(page, `journey-${String(shots).padStart(2, '0')}-${name}`);
    expect(await violations(page), name).toEqual([]);
  }

  /** Until it is all there: what comes later pushes the rest down, under a finger that is on a button. */
  async function open(page: Page, path: string): Promise<void> {
    await page.goto(`${url}${path}`);
    await settle(page);
  }

  async function seeEnd(page: Page): Promise<void> {
    await page
      .getByRole('heading', { level: 1 })
      .getByText(/succeeded|degraded|failed/)
      .waitFor({ timeout: PATIENCE_MS / 2 });
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toMatch(/succeeded|degraded/);
  }

  it('signs in, sets up, backs up, restores, reverts, and reads of all of it in the audit log', { timeout: PATIENCE_MS }, async () => {
    const { page, faults } = watched;
    page.setDefaultTimeout(30_000);
    const [user = '', ...password] = (await readFile(shell.env['ONE_AUTH'] ?? '', 'utf8')).trim().split(':');
    await page.goto(url);
    await look(page, 'sign-in');
    await signIn(page, user, password.join(':'));
    await settle(page);
    await page.getByRole('link', { name: 'Set up onevault' }).click();

    await page.getByLabel('Place').fill(join(shell.dir, 'vault'));
    await look(page, 'setup-repository');
    await page.getByRole('button', { name: 'See what is there' }).click();
    await page.getByText('The place does not exist yet').waitFor();
    await look(page, 'setup-repository-checked');
    await page.getByRole('button', { name: 'Make it there' }).click();
    await page.getByRole('heading', { name: 'Doctor' }).waitFor();
    await settle(page);
    await look(page, 'setup-doctor');
    await page.getByRole('button', { name: 'Next' }).click();
    await page.getByRole('heading', { name: /^Is for/ }).waitFor();
    await look(page, 'setup-policy');
    await page.getByRole('button', { name: 'Make the policy' }).click();
    await page.getByRole('heading', { level: 1, name: 'nightly' }).waitFor();
    await look(page, 'policy');

    await open(page, `/vms/${vmId}`);
    await page.getByRole('button', { name: 'Back up' }).click();
    const seen = new Set<string>();
    await page.exposeFunction('noteProgress', (text: string) => seen.add(text));
    // The run's page is not loaded again: what it shows changes as the server tells it.
    const standing =
      "document.querySelectorAll('.ov-log > div').length + ' lines, ' + [...document.querySelectorAll('[role=progressbar]')].map((bar) => bar.getAttribute('aria-valuenow'))";
    await page.evaluate(`new MutationObserver(() => noteProgress(${standing})).observe(document.body, { subtree: true, childList: true, attributes: true })`);
    await page.getByRole('button', { name: 'Back up now' }).click();
    await page.getByRole('heading', { name: 'Log' }).waitFor();
    await look(page, 'backup-running');
    await seeEnd(page);
    await look(page, 'backup-done');
    expect(seen.size, `progress went through ${[...seen].join(', ')}`).toBeGreaterThan(3);

    await open(page, `/vms/${vmId}`);
    await page.getByRole('main').getByRole('link', { name: 'Restore', exact: true }).first().click();
    await page.getByLabel('Name of the new VM').fill('web-restored');
    await page.getByRole('button', { name: 'Next' }).click();
    await look(page, 'restore-where');
    await page.getByRole('button', { name: 'Check it' }).click();
    await page.getByRole('button', { name: 'Restore as web-restored' }).waitFor();
    await look(page, 'restore-check');
    await page.getByRole('button', { name: 'Restore as web-restored' }).click();
    await page.getByRole('heading', { name: 'Log' }).waitFor();
    await seeEnd(page);
    await look(page, 'restore-done');

    await open(page, `/vms/${vmId}`);
    await page.getByRole('button', { name: 'Take a snapshot' }).click();
    await page.getByLabel('name of the snapshot').fill('before-update');
    await page.getByRole('button', { name: 'Take it' }).click();
    await page.getByRole('heading', { name: 'Log' }).waitFor();
    await seeEnd(page);
    await open(page, `/vms/${vmId}`);
    await page.getByRole('button', { name: 'Revert' }).first().click();
    await page.getByLabel('Type web to go on').fill('web');
    await look(page, 'revert-confirm');
    await page.getByRole('dialog').getByRole('button', { name: 'Revert' }).click();
    await page.getByRole('heading', { name: 'Log' }).waitFor();
    await seeEnd(page);
    await look(page, 'revert-done');

    await open(page, '/audit');
    await page.getByText('startRun').first().waitFor();
    await page.getByRole('button', { name: 'Verify the chain' }).click();
    await page.getByText('The chain is whole').waitFor();
    await look(page, 'audit');
    expect(faults).toEqual([]);
  });
});
