import { defineConfig } from 'tsup';
import { library } from '../../tsup.base.ts';

/** What cannot be in one file with the rest: native code, what starts threads from files beside it, and what few commands load. */
const APART = ['koffi', '@napi-rs/blake-hash', '@toondepauw/node-zstd', '@aws-sdk/client-s3', '@onevault/block-cbt', '@onevault/server'];

// One file: reading 150 of them took longer than most commands do.
export default defineConfig({
  ...library(['src/main.ts']),
  external: APART,
  noExternal: [new RegExp(`^(?!(${APART.join('|')})(/|$))`)],
  // Some of what is bundled is CommonJS and asks for Node's modules with `require`.
  banner: { js: "import { createRequire as createRequireOfBundle } from 'node:module'; const require = createRequireOfBundle(import.meta.url);" },
});
