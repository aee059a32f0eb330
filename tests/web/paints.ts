import type { Page } from 'playwright-core';

/** A page that was loaded, and what came for it. */
export interface PageLoad {
  /** From the start of the navigation until what was waited for was on the screen. */
  readonly paintedMs: number;
  /** Over the wire, compressed: the document and its files; and what the API answered. */
  readonly sentBytes: number;
  readonly answerBytes: number;
}

/** Looked at once a frame: when it holds, the frame behind the one that it was seen in has it on the screen. */
const PAINTED = `window.ovPainted = (isThere) => new Promise((resolve) => {
  const look = () => isThere() ? requestAnimationFrame(() => resolve(performance.now())) : requestAnimationFrame(look);
  look();
});`;

/** From now on each load of the page notes when `isThere`, an expression, first holds. */
export async function watchPaints(page: Page, isThere: string): Promise<void> {
  await page.addInitScript(`${PAINTED}\nwindow.ovLoaded = window.ovPainted(() => ${isThere});`);
}

export async function timeLoad(page: Page, url: string): Promise<PageLoad> {
  await page.goto(url, { waitUntil: 'commit' });
  const paintedMs = (await page.evaluate('window.ovLoaded')) as number;
  // The API compresses nothing and the files come compressed: both as they were on the wire, without what came from the cache.
  const [sentBytes, answerBytes] = (await page.evaluate(`(() => {
    const all = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
    const sum = (entries) => entries.reduce((bytes, { transferSize }) => bytes + transferSize, 0);
    const isAnswer = ({ name }) => new URL(name).pathname.startsWith('/api/');
    return [sum(all.filter((entry) => !isAnswer(entry))), sum(all.filter(isAnswer))];
  })()`)) as [number, number];
  return { paintedMs, sentBytes, answerBytes };
}

/** How long it takes from the act until `isThere`, an expression, holds on the screen. */
export async function paintedAfter(page: Page, isThere: string, act: () => Promise<void>): Promise<number> {
  const begunMs = (await page.evaluate('performance.now()')) as number;
  await act();
  return ((await page.evaluate(`window.ovPainted(() => ${isThere})`)) as number) - begunMs;
}
