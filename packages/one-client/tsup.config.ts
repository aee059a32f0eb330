import { defineConfig } from 'tsup';
import { library } from '../../tsup.base.ts';

// The contract suite must register its tests with the reader's own vitest, not with a copy bundled here.
export default defineConfig({ ...library({ index: 'src/index.ts', 'testing/index': 'testing/index.ts' }), external: ['vitest'] });
