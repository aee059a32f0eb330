import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { describeWith, requiresCommand } from '../support/requires.ts';
import { NARROW, WIDE } from './browser.ts';
import { type FakePages, openFakePagesFor } from './fake-pages.ts';

/** More than any page has to be tabbed through. */
const MOST_TABS = 80;

/** What has the focus, in words: its role where it says one, and its name. */
const FOCUSED = `(() => {
  const at = document.activeElement;
  if (at === null || at === document.body) return 'nothing';
  const label = at.getAttribute('aria-label') ?? (at.labels?.[0] ?? at).textContent ?? '';
  return label.trim().replace(/\\s+/g, ' ');
})()`;
const focused = (page: Page): Promise<string> => page.evaluate(FOCUSED) as Promise<string>;

/** Tabs until something so named has the focus: the way a person without a mouse gets there. */
async function tabTo(page: Page, name: string | RegExp, key = 'Tab'): Promise<void> {
  const passed: string[] = [];
  for (let tabs = 0; tabs < MOST_TABS; tabs += 1) {
    await page.keyboard.press(key);
    const at = await focused(page);
    if (typeof name === 'string' ? at === name : name.test(at)) return;
    passed.push(at);
  }
  throw new Error(`${String(name)} was not reached; passed ${passed.join(' | ')}`);
}

describeWith([requiresCommand('chromium', 'apt-get install chromium')], 'with the keyboard alone', () => {
  let pages: FakePages;
  let page: Page;

  openFakePagesFor((opened) => {
    pages = opened;
    page = opened.page;
  });

  const heading = (): Promise<string | null> => page.getByRole('heading', { level: 1 }).textContent();

  it('the first Tab offers to skip the menu, and Enter does', async () => {
    await pages.go('/vms');
    await page.keyboard.press('Tab');
    expect(await focused(page)).toBe('Skip to the content');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    expect(await focused(page)).toBe('search by name or selector');
  });

  it('letters go to pages and to the search, but not while one types', async () => {
    await pages.go('/');
    await page.keyboard.type('gr');
    await page.getByRole('heading', { level: 1, name: 'Runs' }).waitFor();
    await page.keyboard.type('gv');
    await page.getByRole('heading', { level: 1, name: 'VMs' }).waitFor();
    await page.locator('[role=row][data-index="0"]').waitFor();
    await page.keyboard.press('/');
    expect(await focused(page)).toBe('search by name or selector');
    await page.keyboard.type('gr?');
    expect(await page.getByRole('textbox', { name: 'search by name or selector' }).inputValue()).toBe('gr?');
    expect(await heading()).toBe('VMs');
    expect(await page.getByRole('dialog').count()).toBe(0);
  });

  it('the help opens with ?, keeps the focus inside, closes with Escape and gives the focus back', async () => {
    await pages.go('/runs');
    await tabTo(page, 'keyboard help');
    await page.keyboard.press('?');
    const dialog = page.getByRole('dialog', { name: 'Keyboard' });
    await dialog.waitFor();
    await expect.poll(() => page.evaluate(`document.querySelector('[role=dialog]').contains(document.activeElement)`)).toBe(true);
    for (let tabs = 0; tabs < 4; tabs += 1) {
      await page.keyboard.press('Tab');
      expect(await page.evaluate(`document.querySelector('[role=dialog]').contains(document.activeElement)`)).toBe(true);
    }
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    await expect.poll(() => focused(page)).toBe('keyboard help');
  });

  it('menus open with Enter, are walked with arrows and left with Escape', async () => {
    await pages.go('/runs');
    await tabTo(page, /^signed in as oneadmin/);
    await page.keyboard.press('Enter');
    await page.getByRole('menuitem', { name: 'Sign out' }).waitFor();
    await page.keyboard.press('ArrowDown');
    await expect.poll(() => focused(page)).toBe('Sign out');
    await page.keyboard.press('Escape');
    await page.getByRole('menuitem', { name: 'Sign out' }).waitFor({ state: 'detached' });
    await expect.poll(() => focused(page)).toMatch(/^signed in as oneadmin/);
  });

  it('on a narrow screen the menu is no stop until it is opened, and closes with Escape', async () => {
    await page.setViewportSize(NARROW);
    await pages.go('/runs');
    await tabTo(page, 'open the menu');
    await tabTo(page, /^signed in as/);
    await page.keyboard.press('Tab');
    expect(await page.evaluate(`document.querySelector('main').contains(document.activeElement)`)).toBe(true);
    await tabTo(page, 'open the menu', 'Shift+Tab');
    await page.keyboard.press('Enter');
    await tabTo(page, 'VMs');
    await page.keyboard.press('Escape');
    await expect.poll(() => focused(page)).toBe('open the menu');
    await page.keyboard.press('Enter');
    await tabTo(page, 'Policies');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: 'Policies' }).waitFor();
    expect(await page.getByRole('button', { name: 'open the menu' }).count()).toBe(1);
    await page.setViewportSize(WIDE);
  });

  it('a list is one stop, walked with arrows, Page keys, Home and End; Enter opens what has the focus', async () => {
    await pages.go('/vms?sort=id');
    await page.locator('[role=row][data-index="0"]').waitFor();
    await tabTo(page, 'order');
    await page.keyboard.press('Tab');
    const at = (): Promise<unknown> => page.evaluate('document.activeElement.dataset.index');
    await expect.poll(at).toBe('0');
    await page.keyboard.press('ArrowDown');
    await expect.poll(at).toBe('1');
    await page.keyboard.press('PageDown');
    await expect.poll(at).toBe('21');
    await page.keyboard.press('End');
    await expect.poll(async () => Number(await at())).toBeGreaterThan(190);
    await page.keyboard.press('Home');
    await expect.poll(at).toBe('0');
    await page.keyboard.press('ArrowDown');
    await expect.poll(at).toBe('1');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Back up' }).waitFor();
    expect(await heading()).toContain(pages.server.api.state.vms[1]?.name);
    await page.keyboard.press('Tab');
    expect(await page.evaluate(`document.querySelector('main').contains(document.activeElement)`)).toBe(true);
  });

  it('a VM is restored as a new one from its page to the run', async () => {
    await pages.go('/vms/1');
    await tabTo(page, 'Back up');
    await tabTo(page, 'Restore');
    await page.keyboard.press('Enter');
    await page.getByLabel('Name of the new VM').waitFor();
    await tabTo(page, /^As a new VM/);
    await tabTo(page, /^Name of the new VM/);
    await page.keyboard.press('Control+a');
    await page.keyboard.type('by-keyboard');
    await tabTo(page, 'Next');
    await page.keyboard.press('Enter');
    await page.getByLabel('Image datastore').waitFor();
    await expect.poll(() => focused(page)).toBe('step 3 of 4: Where');
    await tabTo(page, 'Image datastore');
    await page.keyboard.type('102');
    expect(await page.getByLabel('Image datastore').inputValue()).toBe('102');
    await tabTo(page, 'More');
    await page.keyboard.press('Enter');
    await tabTo(page, 'Leave it in HOLD instead of starting it');
    await page.keyboard.press('Space');
    await tabTo(page, 'Check it');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Restore as by-keyboard' }).waitFor();
    await expect.poll(() => focused(page)).toBe('step 4 of 4: Check and go');
    await tabTo(page, 'Back');
    await tabTo(page, 'Restore as by-keyboard', 'Shift+Tab');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: /^Restore/ }).waitFor();
    await page.getByRole('heading', { name: 'Log' }).waitFor();
    expect(pages.server.api.state.runs.list()[0]?.request).toMatchObject({ kind: 'restore', name: 'by-keyboard', imageDatastore: 102, hold: true });
  });

  it('a VM is restored in place once its name is typed, and not before', async () => {
    const name = pages.server.api.state.vms[1]?.name ?? '';
    await pages.go(`/restore?vmId=1&repository=main&pointId=${pages.pointId}`);
    await tabTo(page, /^As a new VM/);
    await page.keyboard.press('ArrowDown');
    await page.getByText('itself is changed').waitFor();
    await tabTo(page, 'Next');
    await page.keyboard.press('Enter');
    await tabTo(page, 'Check it');
    await page.keyboard.press('Enter');
    const begin = page.getByRole('button', { name: `Restore ${name} in place` });
    await begin.waitFor();
    await tabTo(page, `Restore ${name} in place`);
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog');
    await dialog.waitFor();
    await expect.poll(() => focused(page)).toBe(`Type ${name} to go on`);
    const before = pages.server.api.state.runs.list().length;
    await page.keyboard.type(name.slice(0, -1));
    await page.keyboard.press('Enter');
    expect(await dialog.getByRole('button', { name: 'Exchange its disks' }).isDisabled()).toBe(true);
    for (let tabs = 0; tabs < 6; tabs += 1) {
      await page.keyboard.press('Tab');
      expect(await page.evaluate(`document.querySelector('[role=dialog]').contains(document.activeElement)`)).toBe(true);
    }
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    await expect.poll(() => focused(page)).toBe(`Restore ${name} in place`);
    expect(pages.server.api.state.runs.list()).toHaveLength(before);
    await page.keyboard.press('Enter');
    await dialog.waitFor();
    await expect.poll(() => focused(page)).toBe(`Type ${name} to go on`);
    await page.keyboard.type(name);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Log' }).waitFor();
    expect(pages.server.api.state.runs.list()[0]?.request).toMatchObject({ kind: 'restore-in-place', keepUndo: '7d' });
    expect(pages.faults).toEqual([]);
  });
});
