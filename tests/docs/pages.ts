import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Page, readPage } from './page.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** What shows commands to those who run a cloud or write programs around it. */
export function readPages(): readonly { readonly name: string; readonly page: Page }[] {
  const names = ['README.md', 'CONTRIBUTING.md', 'apps/cli/README.md', 'apps/server/README.md', ...pagesOf('docs'), ...pagesOf('docs/operate')];
  return names.filter((name) => existsSync(join(ROOT, name))).map((name) => ({ name, page: readPage(readFileSync(join(ROOT, name), 'utf8')) }));
}

function pagesOf(directory: string): string[] {
  return readdirSync(join(ROOT, directory)).flatMap((name) => (name.endsWith('.md') ? [`${directory}/${name}`] : []));
}
