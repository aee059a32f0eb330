import { Command, CommanderError, Option } from 'commander';
import type { RunCommand } from './command-context.ts';
import { backupCommand } from './commands/backup.ts';
import { cleanupCommand } from './commands/cleanup.ts';
import { deltaCommand } from './commands/delta.ts';
import { demoCommand } from './commands/demo.ts';
import { doctorCommand } from './commands/doctor.ts';
import { drillCommand } from './commands/drill/drill.ts';
import { exportCommand } from './commands/export.ts';
import { filesCommand } from './commands/files/files.ts';
import { inPlaceCommand } from './commands/in-place.ts';
import { initCommand } from './commands/init.ts';
import { nbdCommand } from './commands/nbd/nbd.ts';
import { planCommand } from './commands/plan.ts';
import { pointCommand } from './commands/point.ts';
import { recoverCommand } from './commands/recover.ts';
import { repoCommand } from './commands/repo/repo.ts';
import { restoreCommand } from './commands/restore.ts';
import { restoreDiskCommand } from './commands/restore-disk.ts';
import { restorePlanCommand } from './commands/restore-plan.ts';
import { retentionCommand } from './commands/retention/retention.ts';
import { serverCommand } from './commands/server/server.ts';
import { applyCommand, auditCommand, diffCommand, policyCommand, runCommand, tokenCommand } from './commands/server-side.ts';
import { simCommand } from './commands/sim.ts';
import { snapshotCommand } from './commands/snapshot/snapshot.ts';
import { undoCommand } from './commands/undo.ts';
import { verifyCommand } from './commands/verify.ts';
import { vmCommand } from './commands/vm.ts';
import type { TextStream } from './render/output.ts';

/** The command line as a tree; what a command does is in its own file. */
export function buildProgram(run: RunCommand, streams: { readonly stdout: TextStream; readonly stderr: TextStream }, version: string): Command {
  const program = new Command('onevault')
    .description('backup and recovery for OpenNebula KVM virtual machines')
    .version(version, '-V, --version')
    .showHelpAfterError('(onevault --help shows what there is)')
    .helpCommand(true);
  addGlobalOptions(program);
  for (const command of [
    vmCommand,
    planCommand,
    doctorCommand,
    initCommand,
    backupCommand,
    pointCommand,
    verifyCommand,
    restoreCommand,
    restorePlanCommand,
    exportCommand,
    filesCommand,
    inPlaceCommand,
    undoCommand,
    deltaCommand,
    nbdCommand,
    drillCommand,
    restoreDiskCommand,
    snapshotCommand,
    retentionCommand,
    recoverCommand,
    cleanupCommand,
    repoCommand,
    runCommand,
    policyCommand,
    applyCommand,
    diffCommand,
    tokenCommand,
    auditCommand,
    serverCommand,
  ])
    program.addCommand(command(run));
  // What is played through on this machine, whatever server the environment names.
  for (const command of [simCommand, demoCommand]) program.addCommand(command((sub, work) => run(sub, work, 'here')));
  inherit(program, (command) =>
    command
      .configureHelp({ showGlobalOptions: true })
      .exitOverride()
      .configureOutput({ writeOut: (text) => streams.stdout.write(text), writeErr: (text) => streams.stderr.write(text) }),
  );
  return program;
}

function addGlobalOptions(program: Command): void {
  program
    .optionsGroup('Where:')
    .option('-r, --repo <place>', 'the repository: a directory or s3://bucket/prefix?endpoint=… (ONEVAULT_REPO)')
    .option('--passphrase-file <path>', 'opens an encrypted repository (ONEVAULT_PASSPHRASE_FILE; ONEVAULT_PASSPHRASE is the passphrase itself)')
    .option('--passphrase-command <command>', 'of the shell; what it prints is the passphrase (ONEVAULT_PASSPHRASE_COMMAND)')
    .option('--key-file <path>', 'random bytes instead of a passphrase (ONEVAULT_KEY_FILE)')
    .option('--limit-upload <rate>', 'bytes a second, such as 50MiB (ONEVAULT_LIMIT_UPLOAD)')
    .option('--limit-download <rate>', 'the same for what is read (ONEVAULT_LIMIT_DOWNLOAD)')
    .option('--cache-dir <dir>', 'index and manifests of a bucket, at most ONEVAULT_CACHE_SIZE: 2GiB (ONEVAULT_CACHE_DIR); default: where caches lie')
    .option('--no-cache', 'read everything from the bucket')
    .option('--endpoint <url>', 'of OpenNebula (ONE_XMLRPC, ~/.one/one_endpoint); credentials come from ONE_AUTH')
    .option('--proxy-vm <id>', 'the VM this runs in (ONEVAULT_PROXY_VM); default: found by the machine uuid')
    .option('--bus <vd|sd>', 'of attached disks (ONEVAULT_BUS); default: vd, recognised by serial; sd, by SCSI address, on OpenNebula before 7.0.2')
    .option('--by-difference', 'last resort, for --bus vd before 7.0.2: the one disk that came is ours (ONEVAULT_BY_DIFFERENCE=1)')
    .option('--proxy-root <dir>', "of the proxy VM's /sys and /dev (ONEVAULT_PROXY_ROOT); default: /")
    .option('--state-dir <dir>', 'journal and locks (ONEVAULT_STATE_DIR); default: /var/lib/onevault for root, else ~/.local/state/onevault')
    .option('--server <url>', 'a onevault server that does it instead (ONEVAULT_SERVER; its token in ONEVAULT_TOKEN); --repo is then a name of its settings')
    .option('--token-file <path>', 'holds the token, for its owner alone: mode 600 (ONEVAULT_TOKEN_FILE)')
    .option('--ca-file <path>', 'certificates in PEM that the server’s is signed by, when they are not among those of Node (ONEVAULT_CA_FILE)')
    .optionsGroup('Output:')
    .option('-j, --json', 'one JSON document on stdout')
    .option('--jsonl', 'JSON lines on stdout: every event as it happens, the result last')
    .option('--no-progress', 'no bars')
    .option('-q, --quiet', 'results, warnings and errors only')
    .addOption(new Option('-v, --verbose', 'log lines; twice: every call, and stacks of errors').argParser((_, count: number | undefined) => (count ?? 0) + 1))
    .option('--no-color', 'no colour (NO_COLOR)');
}

function inherit(command: Command, apply: (command: Command) => void): void {
  apply(command);
  for (const sub of command.commands) inherit(sub, apply);
}

/** Help and version are not failures; everything else commander refuses is a wrong command line. */
export function isHelp(error: unknown): boolean {
  return error instanceof CommanderError && error.exitCode === 0;
}
