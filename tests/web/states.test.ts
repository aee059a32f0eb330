import { expect, it } from 'vitest';
import { describeWith, requiresCommand } from '../support/requires.ts';
import { keepScreenshot, NARROW, outOfReach, overflows, violations, WIDE } from './browser.ts';
import { type FakePages, openFakePagesFor } from './fake-pages.ts';

/** Pages that ask the server for what they show. */
const PAGES: readonly (readonly [name: string, path: string])[] = [
  ['home', '/'],
  ['setup', '/setup'],
  ['vms', '/vms'],
  ['vm', '/vms/1'],
  ['snapshots', '/snapshots'],
  ['runs', '/runs'],
  ['run', '/runs/p-failed'],
  ['point', '/points/main/$point'],
  ['files', '/points/main/$point/files'],
  ['restore', '/restore?vmId=1&repository=main&pointId=$point'],
  ['policies', '/policies'],
  ['policy', '/policies/nightly'],
  ['new-policy', '/policies/new?kind=backup'],
  ['repositories', '/repositories'],
  ['infrastructure', '/infrastructure'],
  ['users', '/users'],
  ['tokens', '/tokens'],
  ['audit', '/audit'],
  ['settings', '/settings'],
];

/** Long, as a path or the words of a driver are: what is said of a failure must fit as well. Of a status that is not asked for again. */
const REFUSAL = {
  type: 'urn:onevault:error:SERVER_DEFECT',
  title: 'Internal Server Error',
  status: 500,
  code: 'SERVER_DEFECT',
  detail: `the state directory /srv/${'a-long-name-without-a-break/'.repeat(6)} cannot be read`,
  hint: 'give it to the user that the server runs as, and begin the server again',
  requestId: 'q-00000000-0000-4000-8000-000000000000',
};
/** Of whoever asks for nothing but themselves. */
const SESSION = /\/api\/v1\/session(\/options)?$/;

describeWith([requiresCommand('chromium', 'apt-get install chromium')], 'a page whose questions are not answered, in Chromium', () => {
  let pages: FakePages;
  openFakePagesFor((opened) => {
    pages = opened;
  });

  async function narrowFaults(name: string): Promise<string[]> {
    const { page } = pages;
    await page.setViewportSize(NARROW);
    const found = [...(await overflows(page)), ...(await outOfReach(page))];
    await keepScreenshot(page, name);
    await page.setViewportSize(WIDE);
    return found;
  }

  it.each(PAGES)('%s: says that it waits, then that it was refused and why, and axe finds nothing serious', async (name, path) => {
    const { page, server, pointId, faults } = pages;
    const held: (() => Promise<void>)[] = [];
    const refuse = { status: REFUSAL.status, contentType: 'application/problem+json', body: JSON.stringify(REFUSAL) };
    let holds = true;
    await page.route(`${server.url}/api/v1/**`, async (route) => {
      if (SESSION.test(route.request().url())) return route.continue();
      if (holds) held.push(() => route.fulfill(refuse));
      else await route.fulfill(refuse);
    });
    await page.goto(`${server.url}${path.replace('$point', pointId)}`);
    await page.getByLabel('loading', { exact: true }).first().waitFor();
    const found = await violations(page);
    await keepScreenshot(page, `waiting-${name}`);
    holds = false;
    await Promise.all(held.map((answer) => answer()));
    await page.getByRole('alert').getByText(REFUSAL.hint).first().waitFor();
    await expect.poll(() => page.getByLabel('loading', { exact: true }).count()).toBe(0);
    found.push(...(await violations(page)), ...(await narrowFaults(`refused-${name}`)));
    await page.unrouteAll({ behavior: 'ignoreErrors' });
    expect(found).toEqual([]);
    expect(faults.splice(0)).toEqual([]);
  });
});
