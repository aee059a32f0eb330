/** Reads and checks everything in the repository; any damage is a failure. */
import { measureSelf, using } from '../measure/self.mjs';
import { repositoryIn } from './repository.mjs';

await measureSelf(async ({ repository: path, encrypt }) =>
  using(await repositoryIn(path, {}, encrypt), async (repository) => {
    const first = await repository.verify().next();
    if (!first.done) throw first.value.error;
    return { report: first.value };
  }),
);
