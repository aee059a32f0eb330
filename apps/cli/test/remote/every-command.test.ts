import { Command } from 'commander';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { buildProgram } from '../../src/program.ts';
import { WHY_NOT_THROUGH_SERVER } from '../../src/remote/not-through-server.ts';
import { runMain } from '../support/command-line.ts';
import { type FakeHandler, fakeServer } from '../support/fake-server.ts';
import { BASE, NOW, TOKEN } from '../support/remote-answers.ts';

type Form = 'through a server' | 'here' | 'alone';

const silent = { write: () => true };

/** `snapshot create`. */
function pathOf(command: Command): string {
  const names: string[] = [];
  for (let at: Command | null = command; at?.parent != null; at = at.parent) names.unshift(at.name());
  return names.join(' ');
}

function leaves(command: Command): Command[] {
  const below = command.commands.flatMap(leaves);
  // commander keeps what a command does to itself.
  return (command as unknown as { readonly _actionHandler: unknown })._actionHandler == null ? below : [command, ...below];
}

/** Something for everything that a command line must have. */
const GIVEN: Readonly<Record<string, readonly string[]>> = {
  '--file': ['--file', 'no-such-file'],
  '--dir': ['--dir', '/nowhere'],
  '--to': ['--to', '/nowhere'],
};
const ARGUMENTS: Readonly<Record<string, string>> = { '<point>': 'latest', '<snapshot>': 'before', '<set>': 'before' };

/** What a line needs to come as far as its flags. */
const MORE: Readonly<Record<string, readonly string[]>> = {
  backup: ['6'],
  'point list': ['6'],
  restore: ['--vm', '6', '--suffix=-x'],
  'files filesystems': ['--vm', '6'],
  'files ls': ['--vm', '6'],
  'files cat': ['--vm', '6'],
  'files tar': ['--vm', '6'],
  'in-place': ['--vm', '6', '--yes'],
  'undo list': ['6'],
  'snapshot list': ['6'],
  'snapshot create': ['6'],
  'snapshot revert': ['--yes'],
  'snapshot delete': ['--yes'],
  'retention preview': ['--for', 'nightly'],
  cleanup: ['--list'],
  'policy preview': ['nightly'],
  'drill run': ['6'],
};

const snapshotSet = {
  reference: 'before',
  name: 'before',
  createdAt: NOW,
  ours: true,
  origin: 'set',
  disks: [{ diskId: 0, snapshotId: 1, active: true, sizeBytes: 1 }],
  missingDisks: [],
  canRevert: true,
  canDelete: true,
  revertRefusals: [],
  deleteRefusals: [],
  reasons: [],
};
const ANSWERS: Readonly<Record<string, FakeHandler>> = {
  ...BASE,
  exportSettings: () => 'policies: []',
  listRuns: () => ({ items: [] }),
  listPolicies: () => [],
  listTokens: () => [],
  listOrphans: () => [],
  listUndoSets: () => [],
  readAudit: () => [],
  listSnapshots: () => [snapshotSet],
  retentionCalendar: () => ({ items: [] }),
  listDrills: () => [],
};

function lineOf(command: Command): string[] {
  const needed = command.options.filter((option) => option.mandatory && option.defaultValue === undefined);
  return [
    ...pathOf(command).split(' '),
    ...command.registeredArguments.filter(({ required }) => required).map((argument) => ARGUMENTS[`<${argument.name()}>`] ?? '6'),
    ...(MORE[pathOf(command)] ?? []),
    ...needed.flatMap(({ long }) => GIVEN[long ?? ''] ?? [long ?? '', '6']),
  ];
}

function leafOf(path: string): Command {
  return TREE.find((leaf) => pathOf(leaf) === path) ?? new Command();
}

async function formOf(path: string): Promise<Form | undefined> {
  let form: Form | undefined;
  const program = buildProgram(
    async (_command, _work, remote) => {
      form = remote === 'here' ? 'here' : remote === undefined ? 'alone' : 'through a server';
    },
    { stdout: silent, stderr: silent },
    '0',
  );
  const command = leaves(program).find((leaf) => pathOf(leaf) === path);
  await program.parseAsync(['node', 'onevault', ...lineOf(command ?? program)]);
  return form;
}

const TREE = leaves(buildProgram(async () => undefined, { stdout: silent, stderr: silent }, '0'));
const PATHS = TREE.map(pathOf);

describe('every command', () => {
  it.each(PATHS)('%s is done through a server, has nothing to do with servers, or says why it cannot', async (path) => {
    const form = await formOf(path);
    expect({ path, form, why: WHY_NOT_THROUGH_SERVER[path] }).toEqual({ path, form, why: form === 'alone' ? expect.stringMatching(/\w/) : undefined });
  });

  it('that is given a reason is there', () => {
    expect(Object.keys(WHY_NOT_THROUGH_SERVER).filter((path) => !PATHS.includes(path))).toEqual([]);
  });
});

describe('through a server', () => {
  afterEach(() => void vi.restoreAllMocks());

  /** Read only where the server has something to show. */
  const TABLE = ['list', 'csv', 'header'];
  /** Nothing to read: --list is what a server does, and --yes is for --apply. */
  const OURS: Readonly<Record<string, readonly string[]>> = { cleanup: ['list', 'yes'], 'undo list': TABLE, 'policy preview': TABLE };

  it.each(PATHS)('%s leaves out none of its flags in silence', async (path) => {
    if ((await formOf(path)) !== 'through a server') return;
    const read = new Set<string>();
    const known = new Set<string>();
    const { opts, optsWithGlobals } = Command.prototype;
    let merging = false;
    vi.spyOn(Command.prototype, 'optsWithGlobals').mockImplementation(function (this: Command) {
      merging = true;
      const merged = optsWithGlobals.call(this);
      merging = false;
      return merged;
    });
    vi.spyOn(Command.prototype, 'opts').mockImplementation(function (this: Command) {
      if (merging) return opts.call(this);
      if (this.parent !== null) for (const option of this.options) known.add(option.attributeName());
      return new Proxy(opts.call(this), {
        get(flags, name) {
          read.add(String(name));
          return Reflect.get(flags, name);
        },
      });
    });
    await using server = await fakeServer(ANSWERS);
    const ran = await runMain(lineOf(leafOf(path)), { ONEVAULT_SERVER: server.url, ONEVAULT_TOKEN: TOKEN });
    expect({ said: ran.err, unread: [...known].filter((name) => !read.has(name) && OURS[path]?.includes(name) !== true) }).toEqual({
      said: expect.anything(),
      unread: [],
    });
  });
});
