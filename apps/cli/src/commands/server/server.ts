import { hostname } from 'node:os';
import { Secret, serializeError } from '@onevault/base';
import type { ServerRole } from '@onevault/server';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { CommandContext, RunCommand } from '../../command-context.ts';
import { usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit.ts';
import { version } from '../../version.ts';
import { rebuildCommand } from './rebuild.ts';

export interface ServerFlags {
  readonly listen: Address;
  readonly role: ServerRole;
  readonly slots: number;
  readonly workerName?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly insecure?: boolean;
  readonly trustProxy?: readonly string[];
  readonly publicUrl?: URL;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

export const LOOPBACK: Address = { host: '127.0.0.1', port: 8440 };

const collect = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

export function serverCommand(run: RunCommand): Command {
  return new Command('server')
    .description('policies, schedules, workers, REST API and web UI in one process, until Ctrl-C; its state directory is all it needs')
    .addOption(new Option('--listen <host:port>', 'elsewhere than on loopback only with TLS').argParser(parseAddress).default(LOOPBACK, '127.0.0.1:8440'))
    .addOption(
      new Option('--role <role>', 'with DATABASE_URL (PostgreSQL) several processes share the work: one api, a worker in each proxy VM')
        .choices(['api', 'worker', 'all'])
        .default('all'),
    )
    .option('--slots <n>', 'runs that the worker does at once', parseSlots, 2)
    .option('--worker-name <name>', 'unique among the workers; default: the name of this machine')
    .optionsGroup('Over TLS:')
    .option('--tls-cert <file>', 'certificate chain in PEM; read again when it changes')
    .option('--tls-key <file>', 'its key in PEM')
    .option('--insecure', 'without TLS elsewhere than on loopback: passwords go in the clear')
    .option('--trust-proxy <network>', 'address or network of a reverse proxy whose X-Forwarded-* headers are believed (may be repeated)', collect)
    .option('--public-url <url>', 'as browsers see it, where a proxy stands before: https://backup.example.org', parseUrl)
    .action((flags: ServerFlags, sub: Command) => run(sub, (context) => serve(context, flags), 'here'))
    .addCommand(rebuildCommand(run));
}

/** Serves until the signal; `more` is what a program is told besides, when it is ready. */
export async function serve(context: CommandContext, flags: ServerFlags, more: object = {}): Promise<ExitCode> {
  const { settings, around, clock, output, signal } = context;
  const { listen, role, slots, workerName = hostname(), insecure, trustProxy, publicUrl } = flags;
  const databaseUrl = around.env['DATABASE_URL'] || undefined;
  const tls = tlsOf(flags);
  const { logFormatOf, Redactor, serverLogger, startServer } = await import('@onevault/server');
  const redactor = new Redactor();
  if (databaseUrl !== undefined && URL.canParse(databaseUrl)) redactor.know(decodeURIComponent(new URL(databaseUrl).password));
  // Who looks at a terminal is told what needs them; a journal keeps everything.
  const level = output.verbosity > 0 ? 'debug' : around.env['JOURNAL_STREAM'] === undefined ? 'warn' : 'info';
  const logger = serverLogger({ level, redactor, format: logFormatOf(around.env), sink: output.stderr });
  await using server = await startServer(
    {
      role,
      settings,
      env: around.env,
      databaseUrl: databaseUrl === undefined ? undefined : new Secret(databaseUrl),
      http: { ...listen, ...(tls && { tls }), insecure: insecure === true, ...(trustProxy && { trustedProxies: trustProxy }), ...(publicUrl && { publicUrl }) },
      worker: { name: workerName, slots },
      clock,
      logger,
      redactor,
      version: version(),
    },
    { signal },
  );
  using _reload = context.onHangUp(() => {
    void server.reload().then(
      () => logger.info({}, 'settings and certificates were read again'),
      (error: unknown) => logger.error({ error: serializeError(error) }, 'settings and certificates were not read again: those from before count'),
    );
  });
  const url = server.url?.href;
  output.line(url === undefined ? `worker ${workerName} is ready` : `onevault server is ready at ${url}`);
  output.document('server.ready', { role, url: url ?? null, worker: role === 'api' ? null : workerName, ...more });
  await aborted(signal);
  return EXIT.ok;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function tlsOf({ tlsCert, tlsKey }: ServerFlags): { readonly certFile: string; readonly keyFile: string } | undefined {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined) throw usageError('TLS needs a certificate and its key', '--tls-cert FILE --tls-key FILE');
  return { certFile: tlsCert, keyFile: tlsKey };
}

/** `127.0.0.1:8440`, `[::1]:8440`, `:8440` for loopback. */
export function parseAddress(text: string): Address {
  const [, bracketed, plain = '', port = ''] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s]*)):(\d{1,5})$/.exec(text) ?? [];
  if (port === '' || Number(port) > 65_535) throw new InvalidArgumentError('give HOST:PORT, such as 127.0.0.1:8440; port 0 is any that is free');
  return { host: bracketed ?? (plain === '' ? '127.0.0.1' : plain), port: Number(port) };
}

function parseSlots(text: string): number {
  if (/^\d{1,2}$/.test(text) && Number(text) >= 1 && Number(text) <= 64) return Number(text);
  throw new InvalidArgumentError('a number from 1 to 64');
}

function parseUrl(text: string): URL {
  if (URL.canParse(text) && /^https?:/.test(text)) return new URL(text);
  throw new InvalidArgumentError('a URL, such as https://backup.example.org');
}
