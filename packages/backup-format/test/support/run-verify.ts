import type { Damage, Repository, VerifyOptions, VerifyReport } from '../../src/index.ts';

export async function runVerify(
  repository: Repository,
  options: VerifyOptions = {},
): Promise<{ readonly damage: readonly Damage[]; readonly report: VerifyReport }> {
  const damage: Damage[] = [];
  const run = repository.verify(options);
  for (let step = await run.next(); ; step = await run.next()) {
    if (step.done) return { damage, report: step.value };
    damage.push(step.value);
  }
}
