import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CallOptions, Scope, serializeError } from '@onevault/base';
import { diskFacts, keepLeased, openExports, pointVm, type ServedDisk, servedDisks } from '@onevault/composition';
import { type NbdAddress, type NbdServer, nbdUri, readTlsDirectory, serveNbd, type TlsSetup, tlsSetup } from '@onevault/nbd-server';
import { Command } from 'commander';
import type { CommandContext, RunCommand } from '../../command-context.ts';
import { usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit.ts';
import { checkFlags, collect, parseCache, parseListen, type ServeFlags } from '../../nbd/serve-flags.ts';
import { SCHEMA_VERSION } from '../../render/output.ts';
import { formatBytes } from '../../render/units.ts';
import { selectPoint } from '../../select/select-point.ts';

export function serveCommand(run: RunCommand): Command {
  return new Command('serve')
    .argument('<point...>', 'ids, unique prefixes, latest or latest~1')
    .description('serve disks of restore points until it is told to stop; they are read from the repository as they are asked for')
    .option('--vm <vm>', 'whose latest')
    .option('--disk <disk>', 'id or target; may be repeated. Default: all', collect)
    .optionsGroup('Where clients find it (default: a socket in a directory of its own):')
    .option('--socket <path>', 'a Unix socket, for its owner alone')
    .option('--listen <host:port>', 'TCP; without TLS only on loopback', parseListen)
    .option('--tls-dir <dir>', 'server-cert.pem, server-key.pem, ca-cert.pem: nobody reads without TLS')
    .option('--verify-clients', 'only who shows a certificate signed by ca-cert.pem')
    .option('--insecure', 'let anybody who reaches the address read the disks')
    .optionsGroup('What they get:')
    .option('--export-name <name>', 'of a single disk; default: disk-0, or <point>/disk-0 with several points')
    .option('--cache <size>', 'memory for blocks, shared by all clients', parseCache, 256 * 1024 * 1024)
    .option('--writable-overlay [file]', 'let clients write: into this file, which is kept for the next time, or into a temporary one (TMPDIR)')
    .action((points: string[], flags: ServeFlags, sub: Command) => run(sub, (context) => runServe(context, points, flags)));
}

async function runServe(context: CommandContext, texts: readonly string[], flags: ServeFlags): Promise<ExitCode> {
  const { compose, clock, logger, output, signal } = context;
  checkFlags(flags);
  await using scope = new Scope();
  const repository = scope.use(await compose.openRepository({ signal }));
  const disks = await disksToServe(repository, texts, flags, { signal });
  const points = [...new Set(disks.map(({ point }) => point))];
  scope.use(await keepLeased({ repository, clock, warn: (text) => output.warn(text) }, points, { signal }));
  const opened = scope.use(
    await openExports(repository, disks, { cacheBytes: flags.cache, overlay: flags.writableOverlay, onDamage: sayDamage(context) }, { signal }),
  );
  const tls = await readTls(flags, { signal });
  const listen = await addressOf(flags, scope);
  const [only, ...others] = disks;
  const server = scope.use(
    await serveNbd(
      {
        exports: opened.exports,
        listen,
        insecure: flags.insecure ?? false,
        ...(tls && { tls }),
        ...(only && others.length === 0 && { defaultName: only.name }),
        signal,
      },
      { clock, logger },
    ),
  );
  sayReady(context, server, disks, { tls: tls !== undefined, writable: flags.writableOverlay !== undefined });
  await server.closed;
  return EXIT.ok;
}

async function disksToServe(
  repository: Parameters<typeof selectPoint>[0],
  texts: readonly string[],
  { vm, disk, exportName, writableOverlay }: ServeFlags,
  options: CallOptions,
): Promise<ServedDisk[]> {
  const points = new Map<string, Awaited<ReturnType<typeof selectPoint>>>();
  for (const text of texts) {
    const point = await selectPoint(repository, text, vm, options);
    points.set(point.id, point);
  }
  const disks = servedDisks([...points.values()], disk);
  const [only, ...others] = disks;
  if (typeof writableOverlay === 'string' && others.length > 0)
    throw usageError(`one overlay file takes one disk, and there are ${disks.length}`, 'choose one with --disk, or leave out the file');
  if (!only) throw usageError('there is no disk to serve', 'onevault point show says what a restore point has');
  if (exportName === undefined) return disks;
  if (others.length > 0) throw usageError(`--export-name names one disk, and there are ${disks.length}`, 'choose one with --disk');
  return [{ ...only, name: exportName }];
}

async function readTls({ tlsDir, verifyClients }: ServeFlags, options: CallOptions): Promise<TlsSetup | undefined> {
  return tlsDir === undefined ? undefined : tlsSetup(await readTlsDirectory(tlsDir, options), verifyClients ?? false);
}

async function addressOf({ socket, listen }: ServeFlags, scope: Scope): Promise<NbdAddress> {
  if (listen !== undefined) return listen;
  if (socket !== undefined) return { kind: 'unix', path: socket };
  const directory = await mkdtemp(join(tmpdir(), 'onevault-nbd-'));
  scope.defer(() => rm(directory, { recursive: true, force: true }));
  return { kind: 'unix', path: join(directory, 'socket') };
}

/** Clients get an I/O error; what it means is said here, in the JSON modes as a line on stderr: stdout has its one document. */
function sayDamage({ output }: CommandContext): (exportName: string, error: unknown) => void {
  return (exportName, error) => {
    const told = serializeError(error);
    if (output.mode === 'text') output.warn(`${exportName}: ${told.message}`);
    else output.stderr.write(`${JSON.stringify({ schemaVersion: SCHEMA_VERSION, type: 'nbd.damage', exportName, error: told })}\n`);
  };
}

/** The line that scripts wait for: from here on clients are answered. */
function sayReady(
  { output }: CommandContext,
  server: NbdServer,
  disks: readonly ServedDisk[],
  { tls, writable }: { readonly tls: boolean; readonly writable: boolean },
): void {
  const exports = disks.map(({ name, point, disk }) => ({
    name,
    uri: nbdUri(server.address, name, tls),
    pointId: point.id,
    vm: pointVm(point),
    diskId: diskFacts(disk).diskId ?? null,
    sizeBytes: disk.sizeBytes,
    writable,
  }));
  for (const { uri, pointId, diskId, sizeBytes } of exports) output.line(`ready uri=${uri} point=${pointId} disk=${diskId ?? '-'} size=${sizeBytes}`);
  const total = disks.reduce((sum, { disk }) => sum + disk.sizeBytes, 0);
  output.note(`serving ${formatBytes(total)} until SIGINT or SIGTERM`);
  output.document('nbd.ready', { address: server.address, tls, exports });
}
