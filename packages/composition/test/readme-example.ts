import { silentLogger } from '@onevault/base';
import { compose, resolveSettings } from '@onevault/composition';

/** How many restore points a repository holds. A server asks this of each of its repositories, in one process. */
export async function pointsIn(place: string, passphraseFile: string, env: Readonly<Record<string, string | undefined>>): Promise<number> {
  const settings = resolveSettings({}, { env, cwd: '/', isRoot: false });
  const own = { ...settings, repo: place, secret: { kind: 'file', path: passphraseFile } as const };
  await using repository = await compose(own, silentLogger).openRepository();
  let count = 0;
  for await (const _point of repository.points()) count++;
  return count;
}
