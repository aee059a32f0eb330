import { defineConfig } from 'tsup';
import { library } from '../../tsup.base.ts';

// Tests import the simulator, which is no dependency of the product: it is not to be built into testing/ either.
export default defineConfig({ ...library({ index: 'src/index.ts', 'testing/index': 'testing/index.ts' }), external: [/^@onevault\//] });
