import type { CommandContext } from '../../command-context.ts';
import { type RecoverFlag, recoverFirst } from '../recover-first.ts';

/** What runs that died left is taken away first; a VM that one of them stopped runs again before we look at it. */
export async function recoverBefore(context: CommandContext, flag: RecoverFlag): Promise<void> {
  await using deps = await context.compose.openRecovery({ signal: context.signal });
  await recoverFirst(context, deps, flag);
}
