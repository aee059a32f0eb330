import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AxeResults } from 'axe-core';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { expect } from 'vitest';

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
/** Where screenshots are kept. */
const SHOTS = process.env['ONEVAULT_SCREENSHOTS'] ?? fileURLToPath(new URL('../../test-output/screenshots/', import.meta.url));

export const WIDE = { width: 1280, height: 860 };
export const NARROW = { width: 360, height: 740 };

export async function launchChromium(): Promise<Browser & AsyncDisposable> {
  const browser = await chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', args: FLAGS });
  return Object.assign(browser, { [Symbol.asyncDispose]: () => browser.close() });
}

/** What a page did that it should not: errors, breaches of the CSP, requests to anybody but its own server. */
export interface Watched {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly faults: string[];
}

export async function openPage(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Watched & AsyncDisposable> {
  const context = await browser.newContext({ viewport: WIDE, reducedMotion: 'reduce', timezoneId: 'Europe/Berlin', locale: 'en-GB', ...options });
  const page = await context.newPage();
  const faults: string[] = [];
  // A refused answer is said on the page; Chromium's own line about it is no fault of the page.
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('request', (request) => {
    if (!request.url().startsWith(url) && !request.url().startsWith('data:') && !request.url().startsWith('blob:')) faults.push(`asked ${request.url()}`);
  });
  return { page, context, faults, [Symbol.asyncDispose]: () => context.close() };
}

export async function signIn(page: Page, user: string, password = 'secret'): Promise<void> {
  await page.getByRole('textbox', { name: 'User' }).fill(user);
  await page.getByLabel('Password or login token').fill(password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('navigation', { name: 'main' }).waitFor({ state: 'attached' });
}

const WCAG = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'];

/** Serious and critical violations of WCAG 2.1 AA on the page as it is now, in words; or of some rules only, when nothing else can have changed. */
export async function violations(page: Page, only: readonly string[] = WCAG): Promise<string[]> {
  if (!(await page.evaluate('"axe" in window'))) await page.evaluate(await axeSource());
  const run = `axe.run(document, { runOnly: ${JSON.stringify(only)}, resultTypes: ['violations'] })`;
  const results = (await page.evaluate(run)) as AxeResults;
  return results.violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)}\n${failureSummary}`));
}

let source: Promise<string> | undefined;
function axeSource(): Promise<string> {
  source ??= readFile(AXE, 'utf8');
  return source;
}

/** What makes the page wider than the screen, in words; what scrolls in a frame of its own does not. */
export async function overflows(page: Page): Promise<string[]> {
  const [wide, room] = (await page.evaluate('[document.documentElement.scrollWidth, document.documentElement.clientWidth]')) as [number, number];
  if (wide <= room) return [];
  const outside = `[...document.querySelectorAll('main *')].filter((e) => e.getBoundingClientRect().right > ${room} + 1).map((e) => e.outerHTML.slice(0, 120))`;
  const elements = (await page.evaluate(outside)) as string[];
  return [`${wide} pixels wide on ${room}: ${elements.slice(0, 6).join('\n  ')}`];
}

/** What can be pressed or typed into and is beyond the edge of the screen, words that a button cuts off, and rows that stand on one another. */
export async function outOfReach(page: Page): Promise<string[]> {
  return (await page.evaluate(`(() => {
    const room = document.documentElement.clientWidth;
    const scrolls = (e) => e !== null && (/auto|scroll/.test(getComputedStyle(e).overflowX) && e.scrollWidth > e.clientWidth || getComputedStyle(e).textOverflow === 'ellipsis' || scrolls(e.parentElement));
    const seen = (e) => e.checkVisibility({ visibilityProperty: true }) && !e.matches('.ov-skip, .ov-unseen, .ov-unseen *');
    const beyond = [...document.querySelectorAll('a, button, input, select, textarea, summary')].filter(seen).filter((e) => {
      const { left, right } = e.getBoundingClientRect();
      return (left < -1 || right > room + 1) && !scrolls(e.parentElement);
    });
    const cut = [...document.querySelectorAll('button span, a span')].filter(seen).filter((e) => e.clientWidth > 0 && getComputedStyle(e).textOverflow !== 'ellipsis' && e.scrollWidth > e.clientWidth + 1);
    const rows = [...document.querySelectorAll('.ov-vrow')];
    const onOneAnother = rows.filter((row, index) => {
      const next = rows[index + 1];
      return row.scrollHeight > row.clientHeight + 1 || next !== undefined && row.getBoundingClientRect().bottom > next.getBoundingClientRect().top + 1;
    });
    const say = (what, all) => all.slice(0, 4).map((e) => what + ': ' + e.outerHTML.slice(0, 160));
    return [...say('beyond the edge', beyond), ...say('cut off', cut), ...say('on one another', onOneAnother)];
  })()`)) as string[];
}

export async function keepScreenshot(page: Page, name: string): Promise<void> {
  await mkdir(SHOTS, { recursive: true });
  await page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: true });
}

/** What has been asked has been answered, and nothing says that it loads. */
export async function settle(page: Page): Promise<void> {
  await page.locator('h1').first().waitFor();
  await expect.poll(() => page.getByLabel('loading', { exact: true }).count()).toBe(0);
}
