import type { Damage, Repository, VerifyReport } from '../../src/index.ts';

export async function runVerify(repository: Repository): Promise<{ readonly damage: readonly Damage[]; readonly report: VerifyReport }> {
  const damage: Damage[] = [];
  const run = repository.verify();
  for (let step = await run.next(); ; step = await run.next()) {
    if (step.done) return { damage, report: step.value };
    damage.push(step.value);
  }
}
