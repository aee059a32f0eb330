import { readFile } from 'node:fs/promises';
import { parseBytes, parseId } from '@onevault/composition';
import { findConnection } from '@onevault/one-client';
import { connectControl, type SimControl, type SimState } from '@onevault/one-sim';
import { Command } from 'commander';
import type { CommandContext, RunCommand } from '../command-context.ts';
import { usageError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { type Column, renderTable } from '../render/table.ts';
import { formatBytes } from '../render/units.ts';
import { findSimVm, parseDisk, parseMiB } from '../sim/sim-arguments.ts';
import { type StartFlags, start, stop } from '../sim/start.ts';

const repeat = (value: string, values: string[] | undefined): string[] => [...(values ?? []), value];

export function simCommand(run: RunCommand): Command {
  const command = new Command('sim').description('an OpenNebula simulator with real disk files, to try things out; never for data that matters');
  command
    .command('start')
    .description('serve one until Ctrl-C; stdout is lines for a shell: eval "$(onevault sim start --background --dir DIR)"')
    .requiredOption('--dir <dir>', 'its state; taken up again when there is one')
    .option('--port <port>', 'on the loopback; 0: any free one', '0')
    .option('--opennebula <version>', 'that it behaves like; 7.0.2 unless the directory says otherwise')
    .option('--times <times>', 'a factor, or saveas=5000,attach=2000 in ms; real ones take seconds')
    .option('--background', 'return when it is up')
    .action((flags: StartFlags, sub: Command) => run(sub, (context) => start(context, flags)));
  command
    .command('stop')
    .description('end the one that serves this directory')
    .requiredOption('--dir <dir>', 'its state')
    .action((flags: { readonly dir: string }, sub: Command) => run(sub, (context) => stop(context, flags.dir)));
  command
    .command('create-vm')
    .argument('<name>')
    .description('register disks and start a VM with them')
    .option('--disk <size or file>', '256MiB, or a raw file (may be repeated)', repeat)
    .option('--persistent', 'the disks are persistent images')
    .option('--datastore <id>', 'of the images; 100 is of storage driver qcow2', '100')
    .option('--network <name>', 'a card in this network; there is lan (may be repeated)', repeat)
    .option('--guest-agent', 'its definition has a guest agent, which answers')
    .option('--volatile <size>', 'a volatile disk (may be repeated)', repeat)
    .option('--hypervisor <kvm|lxc>', 'lxc: to see it refused', 'kvm')
    .action((name: string, flags: CreateFlags, sub: Command) => run(sub, (context) => createVm(context, name, flags)));
  command
    .command('write')
    .argument('<vm>')
    .argument('<disk>', 'DISK_ID')
    .description('the guest writes to its disk')
    .option('--random <count>', 'random blocks at random places')
    .option('--block-size <size>', 'of these', '4KiB')
    .option('--seed <number>', 'the same seed writes the same', '1')
    .option('--file <path>', 'the content of this file')
    .option('--offset <bytes>', 'where it goes', '0')
    .action((vm: string, disk: string, flags: WriteFlags, sub: Command) => run(sub, (context) => write(context, vm, disk, flags)));
  command
    .command('state')
    .description('what there is, with the files behind it')
    .action((_: object, sub: Command) => run(sub, state));
  command
    .command('leftovers')
    .description('what onevault made and did not take away; exit code 3 when there is anything')
    .action((_: object, sub: Command) => run(sub, leftovers));
  return command;
}

async function control(context: CommandContext): Promise<SimControl> {
  return connectControl((await findConnection(context.settings.oneEnvironment, { signal: context.signal })).endpoint);
}

interface CreateFlags {
  readonly disk?: readonly string[];
  readonly persistent?: boolean;
  readonly datastore: string;
  readonly network?: readonly string[];
  readonly guestAgent?: boolean;
  readonly volatile?: readonly string[];
  readonly hypervisor: string;
}

async function createVm(context: CommandContext, name: string, flags: CreateFlags): Promise<ExitCode> {
  const { output, around } = context;
  if (flags.hypervisor !== 'kvm' && flags.hypervisor !== 'lxc') throw usageError(`hypervisor '${flags.hypervisor}'`, 'kvm or lxc');
  const datastore = parseId(flags.datastore, 'a datastore');
  const disks = await Promise.all((flags.disk ?? []).map((disk) => parseDisk(disk, around.cwd)));
  const sim = await control(context);
  const made = await sim.createVm({
    name,
    disks: disks.map((disk) => ({ ...disk, datastore, persistent: flags.persistent ?? false })),
    nics: [...(flags.network ?? [])],
    guestAgent: flags.guestAgent === true ? 'works' : 'none',
    volatileMiB: (flags.volatile ?? []).map(parseMiB),
    hypervisor: flags.hypervisor,
  });
  output.line(`VM ${made.vmId} ${name}: ${findSimVm(await sim.state(), String(made.vmId)).stateText}, images ${made.imageIds.join(', ') || 'none'}`);
  output.document('sim.vm', made);
  return EXIT.ok;
}

interface WriteFlags {
  readonly random?: string;
  readonly blockSize: string;
  readonly seed: string;
  readonly file?: string;
  readonly offset: string;
}

async function write(context: CommandContext, vm: string, disk: string, flags: WriteFlags): Promise<ExitCode> {
  const sim = await control(context);
  const { id } = findSimVm(await sim.state(), vm);
  const bytes = await writeTo(sim, id, parseId(disk, 'a disk'), flags);
  context.output.line(`VM ${id} disk ${disk}: ${formatBytes(bytes)} written`);
  context.output.document('sim.written', { vm: id, disk: Number(disk), bytes });
  return EXIT.ok;
}

async function writeTo(sim: SimControl, vm: number, disk: number, flags: WriteFlags): Promise<number> {
  if ((flags.random === undefined) === (flags.file === undefined))
    throw usageError('what the guest writes is not clear', 'either --random COUNT or --file PATH');
  if (flags.file !== undefined) {
    const content = await readFile(flags.file).catch((cause: unknown) => {
      throw usageError(`${flags.file} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, undefined, cause);
    });
    await sim.write(vm, disk, parseSize(flags.offset), content);
    return content.length;
  }
  return await sim.writeRandom(vm, disk, { count: parseSize(flags.random ?? ''), blockBytes: parseSize(flags.blockSize), seed: parseSize(flags.seed) });
}

function parseSize(text: string): number {
  const bytes = parseBytes(text);
  if (bytes === undefined) throw usageError(`a number of '${text}'`);
  return bytes;
}

type DiskRow = SimState['vms'][number]['disks'][number] & { readonly vm: SimState['vms'][number] };

const DISK_COLUMNS: readonly Column<DiskRow>[] = [
  { name: 'VM', align: 'right', value: (row) => row.vm.id },
  { name: 'NAME', value: (row) => row.vm.name },
  { name: 'STATE', value: (row) => row.vm.stateText },
  { name: 'DISK', align: 'right', value: (row) => row.diskId },
  { name: 'TARGET', value: (row) => row.target },
  { name: 'IMAGE', value: (row) => row.imageName ?? 'volatile' },
  { name: 'SNAPSHOTS', align: 'right', value: (row) => row.vm.snapshots.filter((snapshot) => snapshot.diskId === row.diskId).length },
  { name: 'FILE', value: (row) => row.path },
];

async function state(context: CommandContext): Promise<ExitCode> {
  const found = await (await control(context)).state();
  const rows = found.vms.flatMap((vm) => vm.disks.map((disk) => ({ ...disk, vm })));
  for (const line of renderTable(DISK_COLUMNS, rows)) context.output.line(line);
  context.output.line(
    `OpenNebula ${found.version}: ${found.images.length} images, ${found.templates.length} templates, ${found.operations.length} operations under way`,
  );
  context.output.document('sim.state', found);
  return EXIT.ok;
}

/** Names of snapshots, images and templates begin with the run that made them; serials of attached disks have a prefix of their own. */
const OURS: readonly { readonly prefix: string; readonly name: RegExp }[] = [
  { prefix: 'onevault-', name: /^onevault-\d{8}t\d{6}-/ },
  { prefix: 'ov-', name: /^ov-/ },
];

async function leftovers(context: CommandContext): Promise<ExitCode> {
  const sim = await control(context);
  const found = (await Promise.all(OURS.map(async ({ prefix, name }) => (await sim.leftovers(prefix)).filter((one) => name.test(one.name))))).flat();
  for (const { kind, id, name, vm } of found) context.output.line(`${kind} ${name} (id ${id})${vm === undefined ? '' : ` of VM ${vm}`}`);
  if (found.length === 0) context.output.line('nothing of ours is left');
  context.output.document('sim.leftovers', { leftovers: found });
  return found.length === 0 ? EXIT.ok : EXIT.partial;
}
