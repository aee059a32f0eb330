import { hostname } from 'node:os';
import { systemClock } from '@onevault/base';
import { compose } from '@onevault/composition';
import { CommanderError } from 'commander';
import type { CommandWork, NamedCommand } from './command-context.ts';
import { usageError } from './errors.ts';
import { EXIT, type ExitCode, reportError } from './exit.ts';
import { buildProgram, isHelp } from './program.ts';
import { notThroughServer } from './remote/not-through-server.ts';
import { type RemoteWork, throughServer } from './remote/remote-context.ts';
import { createOutput, type Output, type OutputMode, type TextStream } from './render/output.ts';
import { terminalPrompt } from './secret/ask-secret.ts';
import { type GlobalFlags, resolveSettings, type Surroundings } from './settings.ts';
import { cancelOnSignals, LEAVING } from './signals.ts';
import { stderrLogger } from './stderr-logger.ts';
import { version } from './version.ts';

/** Runs the command line of this process and leaves with its exit code. The only place that exits. */
export async function main(host: NodeJS.Process): Promise<void> {
  // `| head -1`, or a terminal that is closed: that nobody reads any more is no reason to drop a run in the middle of the cloud.
  for (const stream of [host.stdout, host.stderr]) stream.on('error', () => undefined);
  // A warning about the Node of some years from now is nothing the person at the terminal asked for.
  host.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  const code = await runCommandLine(host);
  // What is still being written to a pipe must get out before the process goes, and idle connections must not hold it.
  for (const stream of [host.stdout, host.stderr]) await new Promise<void>((resolve) => void stream.write('', () => resolve()));
  host.exit(code);
}

async function runCommandLine(host: NodeJS.Process): Promise<ExitCode> {
  const around: Surroundings = {
    env: host.env,
    cwd: host.cwd(),
    isRoot: host.getuid?.() === 0,
    stdoutIsTerminal: host.stdout.isTTY === true,
    stderrIsTerminal: host.stderr.isTTY === true,
    stdin: host.stdin,
    hostname: hostname(),
    stdout: host.stdout,
  };
  let exitCode: ExitCode = EXIT.ok;
  const json = host.argv.some((argument) => ['--json', '-j', '--jsonl'].includes(argument));
  const program = buildProgram(
    async (command, work, remote) => {
      exitCode = await runWork(host, around, command.optsWithGlobals() as GlobalFlags, chosenWork(pathOf(command), work, remote));
    },
    { stdout: host.stdout, stderr: json ? { write: () => true } : host.stderr },
    version(),
  );
  try {
    await program.parseAsync(host.argv);
    return exitCode;
  } catch (error) {
    if (isHelp(error)) return EXIT.ok;
    // commander has said it already, in words; a program gets a document instead.
    if (error instanceof CommanderError) return json ? reportError(plainOutput(host, 'json'), refusedArguments(error)) : EXIT.usage;
    return reportError(plainOutput(host, json ? 'json' : 'text'), error);
  }
}

/** `snapshot create`: without the program's own name. */
function pathOf(command: NamedCommand): string {
  const names: string[] = [];
  for (let at: NamedCommand | null = command; at?.parent != null; at = at.parent) names.unshift(at.name());
  return names.join(' ');
}

/** At the server where one is named and the command can be done there. */
function chosenWork(command: string, work: CommandWork, remote: RemoteWork | 'here' | undefined): CommandWork {
  return (context) => {
    const { server } = context.settings;
    if (server === undefined || remote === 'here') return work(context);
    if (remote === undefined) throw notThroughServer(command);
    return throughServer(context, server, remote);
  };
}

async function runWork(host: NodeJS.Process, around: Surroundings, flags: GlobalFlags, work: CommandWork): Promise<ExitCode> {
  let output = plainOutput(host, flags.json === true || flags.jsonl === true ? 'json' : 'text');
  try {
    const settings = resolveSettings(flags, around);
    output = createOutput(host, settings.output);
    const clock = systemClock;
    const logger = stderrLogger(output, () => clock.now());
    using signals = cancelOnSignals(
      host,
      // On a terminal a bar may stand there, and `^C`.
      (text) => output.note(output.stderr.isTTY === true ? `\n${text}` : text),
      () => host.exit(EXIT.cancelled),
      settings.server === undefined ? undefined : LEAVING,
    );
    return await work({
      settings,
      around,
      output,
      clock,
      logger,
      signal: signals.signal,
      onHangUp: signals.onHangUp,
      onLeave: signals.onLeave,
      compose: compose(settings, logger, clock, terminalPrompt(around, output)),
    });
  } catch (error) {
    return reportError(output, error);
  }
}

function refusedArguments(error: CommanderError): Error {
  const message = error.code === 'commander.help' ? 'no command is named' : error.message.replace(/^error: /, '');
  return usageError(message, 'onevault --help shows what there is', error);
}

/** Before the flags are understood. */
function plainOutput(streams: { readonly stdout: TextStream; readonly stderr: TextStream }, mode: OutputMode): Output {
  return createOutput(streams, { mode, quiet: false, verbosity: 0, progress: false, color: false });
}
