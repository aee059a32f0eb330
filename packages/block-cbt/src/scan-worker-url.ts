/**
 * Where the worker's program is. Node 20 cannot run TypeScript in a worker, so the built one is used also when this package runs from source
 * (vitest, `@onevault/source`): build before testing.
 */
export const scanWorkerUrl: URL = new URL(import.meta.url.endsWith('.ts') ? '../dist/scan-worker.js' : './scan-worker.js', import.meta.url);
