import { startFakeServer } from '@onevault/web/testing';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith, requiresCommand } from '../support/requires.ts';
import { keepScreenshot, launchChromium, NARROW, openPage, outOfReach, overflows, settle, signIn, violations, WIDE } from './browser.ts';
import { NOON } from './fake-pages.ts';

/** A page takes a second; on a machine that does ten other things, half a minute. */
const SLOW_MACHINE_MS = 120_000;

/** Every page, and something that stands on it once it is there. `$point` is the newest restore point of VM 1. */
const PAGES: readonly (readonly [name: string, path: string, sees: string])[] = [
  ['home', '/', 'Out of RPO'],
  ['setup', '/setup', 'What is there'],
  ['vms', '/vms', 'app-0002'],
  ['vm', '/vms/1', 'before-update'],
  ['vm-long-name', '/vms/22', 'customer-portal'],
  ['snapshots', '/snapshots', 'Of a VM'],
  ['runs', '/runs', 'Any state'],
  ['run', '/runs/p-failed', 'Phases'],
  ['running', '/runs/r-0001', 'PARENT_TRUSTED'],
  ['point', '/points/main/$point', 'Kept by'],
  ['files', '/points/main/$point/files?filesystem=%2Fdev%2Fsda1', 'swapfile'],
  ['restore-vm', '/restore', 'Which VM?'],
  ['restore-point', '/restore?vmId=1', 'Which restore point?'],
  ['restore-what', '/restore?vmId=1&repository=main&pointId=$point', 'As a new VM'],
  ['policies', '/policies', 'all of production'],
  ['policy', '/policies/nightly', 'November 2026'],
  ['new-policy', '/policies/new?kind=snapshot', 'How many stay'],
  ['repositories', '/repositories', 'offsite'],
  ['infrastructure', '/infrastructure', 'onevault-p-failed-0'],
  ['users', '/users', 'given by name'],
  ['tokens', '/tokens', 'Make a token'],
  ['audit', '/audit', 'signIn'],
  ['settings', '/settings', 'Show what would change'],
  ['reports', '/reports', 'for a spreadsheet'],
  ['not-found', '/nothing/here', 'There is no such page'],
];

describeWith([requiresCommand('chromium', 'apt-get install chromium')], 'each page in Chromium', () => {
  let browser: Awaited<ReturnType<typeof launchChromium>>;
  let server: Awaited<ReturnType<typeof startFakeServer>>;
  let wide: Awaited<ReturnType<typeof openPage>>;

  beforeAll(async () => {
    server = await startFakeServer({ now: () => NOON });
    browser = await launchChromium();
    wide = await openPage(browser, server.url);
    await wide.page.clock.setFixedTime(NOON);
    await wide.page.goto(server.url);
    await signIn(wide.page, 'oneadmin');
  }, SLOW_MACHINE_MS);
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
  });

  async function go(page: Page, path: string, sees: string): Promise<void> {
    await page.goto(`${server.url}${path.replace('$point', server.api.state.pointsOf(path.includes('vmId=22') ? 22 : 1)[0]?.id ?? '')}`);
    await settle(page);
    await page.getByText(sees).first().waitFor({ state: 'attached' });
  }

  it.each(PAGES)(
    '%s: is there, and axe finds nothing serious in light, in dark and on 360 pixels',
    async (name, path, sees) => {
      const { page, faults } = wide;
      await page.emulateMedia({ colorScheme: 'light' });
      await go(page, path, sees);
      const found = [...(await violations(page))];
      await keepScreenshot(page, `page-${name}-light`);
      await page.emulateMedia({ colorScheme: 'dark' });
      // The same elements in other colours.
      found.push(...(await violations(page, ['color-contrast'])));
      await keepScreenshot(page, `page-${name}-dark`);
      await page.setViewportSize(NARROW);
      found.push(...(await overflows(page)), ...(await outOfReach(page)), ...(await violations(page)));
      await keepScreenshot(page, `page-${name}-narrow`);
      await page.setViewportSize(WIDE);
      expect(found).toEqual([]);
      expect(faults.splice(0)).toEqual([]);
    },
    SLOW_MACHINE_MS,
  );

  it.each([
    ['as a new VM', undefined],
    ['in place', /^In place/],
  ])(
    'the restore wizard fits on 360 pixels at every step, %s',
    async (how, choice) => {
      const { page, faults } = wide;
      const found: string[] = [];
      const look = async (step: string): Promise<void> => {
        found.push(...[...(await overflows(page)), ...(await outOfReach(page)), ...(await violations(page))].map((fault) => `${step}: ${fault}`));
        await keepScreenshot(page, `wizard-${how.replaceAll(' ', '-')}-${step}-narrow`);
      };
      await page.emulateMedia({ colorScheme: 'light' });
      await page.setViewportSize(NARROW);
      await go(page, '/restore?vmId=22&repository=main&pointId=$point', 'What comes back');
      if (choice !== undefined) await page.getByRole('radio', { name: choice }).check();
      await look('what');
      await page.getByRole('button', { name: 'Next' }).click();
      for (const more of await page.getByText('More', { exact: true }).all()) await more.click();
      await look('where');
      await page.getByRole('button', { name: 'Check it' }).click();
      await page.getByRole('heading', { name: 'What is made' }).waitFor();
      await look('check');
      if (choice !== undefined) {
        await page.getByRole('button', { name: /in place$/ }).click();
        await page.getByRole('dialog').waitFor();
        await look('confirm');
        await page.keyboard.press('Escape');
      }
      await page.setViewportSize(WIDE);
      expect(found).toEqual([]);
      expect(faults.splice(0)).toEqual([]);
    },
    SLOW_MACHINE_MS,
  );
});
