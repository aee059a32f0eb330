import { Command, Option } from 'commander';
import type { RunCommand } from '../command-context.ts';
import { type AuditFlags, auditList, auditVerify } from '../remote/audit.ts';
import { needsServer } from '../remote/not-through-server.ts';
import { policyList, policyPreview } from '../remote/policies.ts';
import { runLog } from '../remote/run-log.ts';
import { type RunListFlags, runCancel, runList, runShow, runWatch } from '../remote/runs.ts';
import { type ApplyFlags, applySettings, diffSettings } from '../remote/settings.ts';
import { type TokenFlags, tokenCreate, tokenDelete, tokenList } from '../remote/tokens.ts';
import { repeated } from './restore-flags.ts';
import { addTableFlags, type TableFlags } from './table-flags.ts';

/** Commands that ask a server and nobody else. */
export function runCommand(run: RunCommand): Command {
  const command = new Command('run').description('runs of a server: what it does, did and will do; needs --server');
  addTableFlags(command.command('list'))
    .option('--state <state>', 'queued, running, succeeded, degraded, failed, cancelled or skipped')
    .option('--kind <kind>', 'backup, restore, verify …')
    .option('--vm <vm>', 'id or name')
    .option('--policy <name>', 'begun for that policy')
    .option('--limit <n>', 'so many', '50')
    .description('newest first, 50 or --limit; what audit does when nothing else is said')
    .action((flags: RunListFlags, sub: Command) => run(sub, needsServer, (context) => runList(context, flags)));
  command
    .command('show')
    .argument('<run>', 'its id')
    .description('one run with its steps')
    .action((id: string, _flags: object, sub: Command) => run(sub, needsServer, (context) => runShow(context, id)));
  command
    .command('watch')
    .argument('<run>', 'its id')
    .description('what happens in it, from its beginning to its end; ends as it ends')
    .action((id: string, _flags: object, sub: Command) => run(sub, needsServer, (context) => runWatch(context, id)));
  command
    .command('log')
    .argument('<run>', 'its id')
    .description('everything that happened in it and what its worker said, a line each')
    .action((id: string, _flags: object, sub: Command) => run(sub, needsServer, (context) => runLog(context, id)));
  command
    .command('cancel')
    .argument('<run...>', 'ids')
    .description('stop them in order; what they made is taken away')
    .action((ids: string[], _flags: object, sub: Command) => run(sub, needsServer, (context) => runCancel(context, ids)));
  return command;
}

export function policyCommand(run: RunCommand): Command {
  const command = new Command('policy').description('policies of a server; needs --server');
  addTableFlags(command.command('list'))
    .description('all policies, with what each matches and when it runs next')
    .action((flags: TableFlags, sub: Command) => run(sub, needsServer, (context) => policyList(context, flags)));
  addTableFlags(command.command('preview'))
    .argument('[name]', 'of a policy that the server has')
    .option('-f, --file <path>', 'a policy in YAML that it does not have yet')
    .description('which VMs a policy is for and why, and when it runs')
    .action((name: string | undefined, flags: TableFlags & { readonly file?: string }, sub: Command) =>
      run(sub, needsServer, (context) => policyPreview(context, name, flags)),
    );
  return command;
}

export function applyCommand(run: RunCommand): Command {
  return new Command('apply')
    .requiredOption('-f, --file <path>', 'settings in YAML, as export settings prints them')
    .option('-y, --yes', 'ask nothing, also on a terminal')
    .description('make the settings of a server what a file says, all or nothing; needs --server')
    .action((flags: ApplyFlags, sub: Command) => run(sub, needsServer, (context) => applySettings(context, flags)));
}

export function diffCommand(run: RunCommand): Command {
  return new Command('diff')
    .requiredOption('-f, --file <path>', 'settings in YAML')
    .description('what apply would change; exit code 3 when it would change something; needs --server')
    .action((flags: ApplyFlags, sub: Command) => run(sub, needsServer, (context) => diffSettings(context, flags)));
}

export function tokenCommand(run: RunCommand): Command {
  const command = new Command('token').description('tokens with which programs call a server; needs --server');
  command
    .command('create')
    .argument('<name>', 'lower-case letters, digits and dashes')
    .addOption(new Option('--role <role>', 'at most your own').choices(['viewer', 'operator', 'admin']).default('viewer'))
    .option('--expires <when>', 'so long, such as 90d, or a date', '90d')
    .option('--operation <id>', 'only for this operation (may be repeated); default: all that the role may', repeated)
    .description('sign in with ONE_AUTH and print a new token, once')
    .action((name: string, flags: TokenFlags, sub: Command) => run(sub, (context) => tokenCreate(context, name, flags), 'here'));
  addTableFlags(command.command('list'))
    .description('your tokens; an administrator sees all')
    .action((flags: TableFlags, sub: Command) => run(sub, needsServer, (context) => tokenList(context, flags)));
  command
    .command('delete')
    .argument('<id...>', 'ids')
    .description('end them')
    .action((ids: string[], _flags: object, sub: Command) => run(sub, needsServer, (context) => tokenDelete(context, ids)));
  return command;
}

export function auditCommand(run: RunCommand): Command {
  const command = new Command('audit').description('who did what at a server; needs --server and an administrator’s token');
  addTableFlags(command.command('list', { isDefault: true }))
    .option('--actor <name>', 'by this user or token')
    .option('--action <operation>', 'of this kind')
    .option('--limit <n>', 'so many', '50')
    .description('newest first')
    .action((flags: AuditFlags, sub: Command) => run(sub, needsServer, (context) => auditList(context, flags)));
  command
    .command('verify')
    .description('whether the log is what was written')
    .action((_flags: object, sub: Command) => run(sub, needsServer, (context) => auditVerify(context)));
  return command;
}
