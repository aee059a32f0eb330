/** `npm run format`: writes the one format there is, imports sorted. Extra arguments go to biome. */
import { endLike, run } from './tools/child.mjs';
import { ROOT, workspaceTool } from './tools/paths.mjs';

const args = process.argv.slice(2);
endLike(await run(workspaceTool('biome'), ['check', '--write', '--linter-enabled=false', ...args], { cwd: ROOT }));
