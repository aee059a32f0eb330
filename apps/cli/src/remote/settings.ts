import type { Answer } from '@onevault/api';
import { confirm } from '../confirm.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { printable } from '../render/table.ts';
import { count } from '../render/units.ts';
import { readText } from './policies.ts';
import type { RemoteContext } from './remote-context.ts';

export interface ApplyFlags {
  readonly file: string;
  readonly yes?: boolean;
}

/** What a file would change. Exit code 3 when it would, as `diff` says it too. */
export async function diffSettings(context: RemoteContext, { file }: ApplyFlags): Promise<ExitCode> {
  const { changes, checks = [] } = await apply(context, file, true);
  show(context, changes);
  warnOf(context, checks);
  context.output.document('settings.diff', { changes, checks, applied: false });
  return changes.some(isChange) ? EXIT.partial : EXIT.ok;
}

/** All of it or nothing. On a terminal what would change is shown and asked about first. */
export async function applySettings(context: RemoteContext, { file, yes }: ApplyFlags): Promise<ExitCode> {
  const { output } = context;
  if (yes !== true) {
    const { changes, checks = [] } = await apply(context, file, true);
    show(context, changes);
    warnOf(context, checks);
    const changing = changes.filter(isChange);
    if (changing.length > 0 && !(await confirm(context, `${count(changing.length, 'change')} will be made.`))) {
      output.note('nothing was changed');
      return EXIT.cancelled;
    }
  }
  const { changes, checks = [] } = await apply(context, file, false);
  if (yes === true) warnOf(context, checks);
  const of = (action: string): number => changes.filter((change) => change.action === action).length;
  output.line(`apply result=ok created=${of('create')} changed=${of('change')} removed=${of('remove')} kept=${of('keep')}`);
  output.document('settings.apply', { changes, checks, applied: true });
  return EXIT.ok;
}

type Changes = Answer<'applySettings'>['changes'];
type Checks = NonNullable<Answer<'applySettings'>['checks']>;

async function apply({ client, around, signal }: RemoteContext, file: string, dryRun: boolean): Promise<Answer<'applySettings'>> {
  return client.call('applySettings', { body: { yaml: await readText(around.cwd, file, signal), dryRun } }, { signal });
}

function isChange({ action }: Changes[number]): boolean {
  return action !== 'keep';
}

/** A repository that is away is no reason to refuse its setting; that nobody noticed would be one. */
function warnOf({ output }: RemoteContext, checks: Checks): void {
  for (const { name, place, verdict, reasons } of checks) {
    if (verdict === 'repository') continue;
    const why = reasons.map(({ text, code, remedy }) => `${text} (${code})${remedy === undefined ? '' : `: ${remedy}`}`);
    output.warn(printable([`the repository ${name} cannot be used yet: ${VERDICTS[verdict]} ${place}`, ...why].join('; ')));
  }
}

const VERDICTS: Readonly<Record<Exclude<Checks[number]['verdict'], 'repository'>, string>> = {
  empty: 'there is none in',
  absent: 'nothing is at',
  occupied: 'something else is in',
  unusable: 'it cannot be read at',
};

function show({ output }: RemoteContext, changes: Changes): void {
  for (const { kind, name, action, diff } of changes.filter(isChange)) {
    output.line(`${action} ${kind} ${printable(name)}`);
    for (const line of diff.split('\n')) if (line !== '') output.line(`  ${printable(line)}`);
  }
  if (!changes.some(isChange)) output.line('nothing would change');
}

/** Everything that is set, as YAML without secrets: what `apply` takes. */
export async function exportSettings({ client, output, signal }: RemoteContext): Promise<ExitCode> {
  const { body } = await client.file('exportSettings', {}, { signal });
  let yaml = '';
  const decoder = new TextDecoder();
  for await (const chunk of body) yaml += decoder.decode(chunk as Uint8Array, { stream: true });
  if (output.mode === 'text') output.stdout.write(yaml);
  output.document('settings.export', { yaml });
  return EXIT.ok;
}
