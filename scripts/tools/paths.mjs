import { fileURLToPath } from 'node:url';

/** The repository's root, whatever the working directory. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Tools fetched for this repository alone; ignored by git, safe to delete. */
export const TOOLS = `${ROOT}.tools`;

/** A tool of the workspace's own dependencies; there after `pnpm install`. */
export function workspaceTool(name) {
  return `${ROOT}node_modules/.bin/${name}`;
}
