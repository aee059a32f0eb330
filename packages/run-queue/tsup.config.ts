import { defineConfig } from 'tsup';
import { library } from '../../tsup.base.ts';

export default defineConfig({
  ...library({ index: 'src/index.ts', 'testing/index': 'testing/index.ts', 'prepare-database': 'src/prepare-database.ts' }),
  onSuccess: 'node dist/prepare-database.js',
});
