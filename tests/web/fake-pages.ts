import { Scope } from '@onevault/base';
import { type FakeServer, startFakeServer } from '@onevault/web/testing';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, vi } from 'vitest';
import { launchChromium, openPage, settle, signIn, type Watched } from './browser.ts';

/** Noon of the day that the fake cloud lives in. */
export const NOON = Date.UTC(2026, 10, 28, 12);

/** A test takes a second or two; on a machine that does ten other things, half a minute. */
const SLOW_MACHINE_MS = 120_000;

/** Opens the pages once for all tests of a file, and gives each of them the time that a slow machine needs. */
export function openFakePagesFor(tests: (pages: FakePages) => void): void {
  vi.setConfig({ testTimeout: SLOW_MACHINE_MS });
  let pages: FakePages | undefined;
  beforeAll(async () => {
    pages = await openFakePages();
    tests(pages);
  }, SLOW_MACHINE_MS);
  afterAll(async () => {
    vi.resetConfig();
    await pages?.[Symbol.asyncDispose]();
  });
}

export interface FakePages extends Watched, AsyncDisposable {
  readonly server: FakeServer;
  /** The newest restore point of VM 1. */
  readonly pointId: string;
  go(path: string): Promise<void>;
  /** Another browser, where somebody else is signed in. */
  as(user: string): Promise<Watched & AsyncDisposable & { go(path: string): Promise<void> }>;
}

/** The pages over a fake server, in a Chromium where its administrator is signed in. */
async function openFakePages(): Promise<FakePages> {
  await using scope = new Scope();
  const server = scope.use(await startFakeServer({ now: () => NOON }));
  const browser = scope.use(await launchChromium());
  const goIn =
    (page: Page) =>
    async (path: string): Promise<void> => {
      await page.goto(`${server.url}${path}`);
      await settle(page);
    };
  const as = async (user: string) => {
    const watched = await openPage(browser, server.url);
    watched.page.setDefaultTimeout(30_000);
    await watched.page.clock.setFixedTime(NOON);
    await watched.page.goto(server.url);
    await signIn(watched.page, user);
    return { ...watched, go: goIn(watched.page) };
  };
  const own = scope.use(await as('oneadmin'));
  const owned = scope.move();
  const pointId = server.api.state.pointsOf(1)[0]?.id ?? '';
  return { ...own, server, pointId, as, [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose]() };
}
