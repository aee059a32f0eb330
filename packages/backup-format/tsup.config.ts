import { defineConfig } from 'tsup';
import { library } from '../../tsup.base.ts';

// The contract suites run inside the caller's vitest.
export default defineConfig({ ...library({ index: 'src/index.ts', 'testing/index': 'testing/index.ts' }), external: ['vitest'] });
