import { execFileSync } from 'node:child_process';
import { cp, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { exitError } from '../../apps/cli/test/support/json-lines-schema.ts';
import { documentOf, type Finished, openSecondShell, runCommand, type SecondShell, writeAuth } from '../support/command-line.ts';
import { requiresRoot, testWith } from '../support/requires.ts';

/** What can be wrong around a command: each time a typed error with code, reason and advice, the right exit code, and nothing left in OpenNebula. */
describe('bad input', { timeout: 120_000 }, () => {
  let shell: SecondShell;

  beforeAll(async () => {
    shell = await openSecondShell('0');
    await shell.run(['sim', 'create-vm', 'web', '--disk', '8MiB', '--disk', '4MiB']);
    await shell.run(['sim', 'create-vm', 'scratch', '--volatile', '8MiB']);
    await shell.run(['sim', 'create-vm', 'container', '--disk', '4MiB', '--hypervisor', 'lxc']);
    await shell.control.writeRandom(1, 0, { seed: 1, count: 6, blockBytes: 1024 * 1024 });
    await shell.run(['init']);
    expect((await shell.run(['backup', 'web', '-q'])).exit).toBe(0);
  }, 60_000);
  afterAll(() => shell[Symbol.asyncDispose](), 60_000);

  afterEach(async () => {
    await shell.control.clearFaults();
    await shell.control.release();
    await shell.control.idle();
    expect(await shell.run(['sim', 'leftovers'])).toMatchObject({ exit: 0 });
  });

  /** The one document on stderr, with the exit code the process really had. */
  function expectError(finished: Finished, exit: number, code: string): void {
    expect(finished.exit, finished.stderr).toBe(exit);
    const error = exitError.parse(JSON.parse(finished.stderr.trim()));
    expect(error).toMatchObject({ exitCode: exit, code });
    expect(error.message.length).toBeGreaterThan(10);
    expect(error.hint, 'advice').toBeTruthy();
    expect(finished.stderr).not.toMatch(/\n\s+at /);
  }

  describe('of the command line', () => {
    test.each([
      [['frobnicate']],
      [['backup', '--nope', 'web']],
      [['backup']],
      [['backup', 'web', '--all']],
      [['backup', 'web', '--parallel-disks', '0']],
      [['backup', 'web', '--exclude-disk', 'vda']],
      [['backup', 'web', '--capture', 'magic']],
      [['init', '--block-size', '3MB']],
      [['init', '--block-size', '3MiB']],
      [['init', '--compression-level', '22']],
      [['restore', 'latest', '--vm', 'web']],
      [['vm', 'list', '-l', 'ID,NOPE']],
      [['restore', 'latest', '--vm', 'web', '--name', 'x', '--image-datastore', 'nowhere']],
      [['restore', 'latest', '--vm', 'web', '--name', 'a/b']],
    ])('%j is a usage error', async (args) => {
      const finished = await shell.run([...args, '--json']);
      expect(finished.exit, finished.stderr).toBe(2);
      expect(exitError.parse(JSON.parse(finished.stderr.trim()))).toMatchObject({ exitCode: 2, code: expect.stringMatching(/^(CLI_USAGE|JOB_NAME_INVALID)$/) });
      expect(finished.stdout).toBe('');
    });

    test('in text mode the same is said in words, and nothing goes to stdout', async () => {
      const finished = await shell.run(['backup', '--nope', 'web']);
      expect(finished).toMatchObject({ exit: 2, stdout: '', stderr: expect.stringContaining("unknown option '--nope'") });
    });
  });

  describe('of VMs', () => {
    test.each([
      ['an id that does not exist', ['backup', '99'], 1, 'CLI_VM_NOT_FOUND'],
      ['a name that does not exist', ['backup', 'nobody'], 1, 'CLI_VM_NOT_FOUND'],
      ['a VM that is not KVM', ['backup', 'container'], 1, 'JOB_PLAN_REFUSED'],
      ['only volatile disks', ['backup', 'scratch'], 1, 'JOB_PLAN_EMPTY'],
      ['the proxy itself', ['backup', '0'], 1, 'JOB_PLAN_REFUSED'],
      ['a restore point that does not exist', ['restore', 'zzzz', '--name', 'x'], 1, 'REPO_POINT_NOT_FOUND'],
      ['a latest of nobody', ['restore', 'latest', '--vm', 'nobody', '--name', 'x'], 1, 'CLI_POINT_NOT_FOUND'],
    ] as const)('%s', async (_, args, exit, code) => {
      expectError(await shell.run([...args, '--json']), exit, code);
    });

    test('one of several that fails makes the whole incomplete, and is named', async () => {
      const finished = await shell.run(['backup', 'web,scratch']);
      expect(finished.exit).toBe(3);
      expect(finished.stdout.trim().split('\n')).toEqual([
        expect.stringMatching(/^backup vm=1 name=web result=ok /),
        'backup vm=2 result=failed code=JOB_PLAN_EMPTY',
      ]);
    });

    test('plan says impossible and leaves with 3', async () => {
      const finished = await shell.run(['plan', 'container', '--json']);
      expect(finished.exit).toBe(3);
      expect(documentOf(finished)).toMatchObject({ plans: [{ verdict: 'impossible', reasons: [{ code: 'REFUSE_VM_NOT_KVM' }] }] });
    });
  });

  describe('of OpenNebula', () => {
    test('nobody listens', async () => {
      expectError(await shell.run(['backup', 'web', '--json'], { ONE_XMLRPC: 'http://127.0.0.1:9/RPC2' }), 20, 'ONE_UNREACHABLE');
    });

    test('wrong credentials, which are printed nowhere', async () => {
      const ONE_AUTH = await writeAuth(shell.dir, 'oneadmin:opensesame');
      const finished = await shell.run(['backup', 'web', '--json', '-v', '-v'], { ONE_AUTH });
      expect(finished.exit).toBe(20);
      expect(finished.stderr).toContain('ONE_AUTHENTICATION');
      expect(finished.stdout + finished.stderr).not.toContain('opensesame');
    });

    test('no credentials at all', async () => {
      const { ONE_AUTH: _, ...env } = shell.env;
      expectError(await runCommand(['vm', 'list', '--json'], { ...env, HOME: join(shell.dir, 'empty-home') }), 20, 'ONE_CREDENTIALS_MISSING');
    });

    test('it stops answering in the middle', async () => {
      await shell.control.inject({ fault: 'hang', method: 'one.vm.disksaveas', execute: true });
      expectError(await shell.run(['backup', 'web', '--json'], { ONE_XMLRPC_TIMEOUT: '1' }), 20, 'ONE_TIMEOUT');
    });

    test('its connections break in the middle, with the call carried out and the answer lost', async () => {
      await shell.control.inject({ fault: 'drop-after', method: 'one.vm.disksaveas' });
      expectError(await shell.run(['backup', 'web', '--json']), 20, 'ONE_UNREACHABLE');
    });

    test.each(['truncate', 'truncate-body'] as const)('XML that ends in the middle (%s)', async (fault) => {
      await shell.control.inject({ fault, method: 'one.vm.info', count: 20 });
      expectError(await shell.run(['backup', '1', '--json', '--proxy-vm', '0']), 20, 'ONE_RESPONSE_INVALID');
    });

    test('an answer of 100 MB', async () => {
      await shell.control.inject({ fault: 'huge-answer', method: 'one.vmpool.info', bytes: 100_000_000, count: 4 });
      expectError(await shell.run(['vm', 'list', '--json']), 20, 'ONE_RESPONSE_TOO_LARGE');
    });

    test('a driver that fails after the call was accepted', async () => {
      await shell.control.inject({ fault: 'driver', operation: 'saveas' });
      const finished = await shell.run(['backup', 'web', '--json']);
      expect(finished.exit).not.toBe(0);
      expect(JSON.parse(finished.stderr.trim())).toMatchObject({ code: expect.stringMatching(/^(JOB_|ONE_)/), hint: expect.any(String) });
    });
  });

  describe('of devices', () => {
    test('a device of the wrong size is refused', async () => {
      await shell.control.inject({ fault: 'device', sizeBytes: 1024 * 1024 });
      expectError(await shell.run(['backup', 'web', '--json']), 1, 'JOB_IMAGE_BROKEN');
    });

    test.each([
      ['vanishes', (disk: number) => shell.control.vanishDevice(0, disk)],
      ['shrinks', (disk: number) => shell.control.shrinkDevice(0, disk, 4 * 1024 * 1024)],
    ])('a device that %s before it is read', async (_, spoil) => {
      await shell.control.hold(['snapshotDelete']);
      const backup = shell.start(['backup', 'web', '--json', '--parallel-disks', '1']);
      while (!(await shell.control.state()).waiting.includes('snapshotDelete')) expect(backup.process.exitCode).toBeNull();
      const attached = (await shell.control.state()).vms.find((vm) => vm.proxy)?.disks.find((disk) => disk.serial?.startsWith('ov-'));
      await spoil(attached?.diskId ?? -1);
      await shell.control.release();
      const finished = await backup.finished;
      expect(finished.exit, finished.stderr).toBe(1);
      expect(JSON.parse(finished.stderr.trim())).toMatchObject({ code: expect.stringMatching(/^(CBT|JOB|ATTACH)_/), hint: expect.any(String) });
    });
  });

  describe('of repositories', () => {
    const at = (name: string): string => join(shell.dir, name);
    const copyOf = async (name: string): Promise<string> => {
      await cp(shell.repo, at(name), { recursive: true });
      return at(name);
    };

    test('a path that is a file', async () => {
      await writeFile(at('a-file'), 'not a repository');
      expectError(await shell.run(['point', 'list', '--json', '--repo', at('a-file')]), 10, 'REPO_PATH_INVALID');
      expectError(await shell.run(['init', '--json', '--repo', at('a-file')]), 10, 'REPO_PATH_INVALID');
    });

    test('a directory that is none, and one that does not exist', async () => {
      await mkdir(at('other/stuff'), { recursive: true });
      expectError(await shell.run(['backup', 'web', '--json', '--repo', at('other')]), 10, 'REPO_NOT_FOUND');
      expectError(await shell.run(['backup', 'web', '--json', '--repo', at('nowhere')]), 10, 'REPO_NOT_FOUND');
      expect(await stat(at('nowhere')).catch(() => 'still nothing')).toBe('still nothing');
    });

    test('none named', async () => {
      const { ONEVAULT_REPO: _, ...env } = shell.env;
      expectError(await runCommand(['point', 'list', '--json'], env), 2, 'CLI_REPOSITORY_UNSET');
    });

    test('one that exists already, and a directory with something else in it', async () => {
      expectError(await shell.run(['init', '--json']), 1, 'REPO_EXISTS');
      await mkdir(at('full'), { recursive: true });
      await writeFile(join(at('full'), 'thesis.txt'), 'mine');
      expectError(await shell.run(['init', '--json', '--repo', at('full')]), 1, 'REPO_NOT_EMPTY');
      expect(await readdir(at('full'))).toEqual(['thesis.txt']);
    });

    test('one of a newer format', async () => {
      const repo = await copyOf('newer');
      const config = await readFile(join(repo, 'onevault.json'), 'utf8');
      await writeFile(join(repo, 'onevault.json'), config.replace('"version":1', '"version":2'));
      expectError(await shell.run(['backup', 'web', '--json', '--repo', repo]), 1, 'REPO_UNSUPPORTED_VERSION');
    });

    testWith(
      [requiresRoot()],
      'one that cannot be written, and one that is full',
      async () => {
        const mountPoint = at('small');
        await mkdir(mountPoint);
        execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', mountPoint]);
        try {
          const repo = join(mountPoint, 'repo');
          expect((await shell.run(['init', '--repo', repo])).exit).toBe(0);
          expectError(await shell.run(['backup', 'web', '--json', '--repo', repo]), 1, 'REPO_NO_SPACE');
          expect((await shell.run(['point', 'list', '--no-header', '--repo', repo])).stdout).toBe('');
          execFileSync('mount', ['-o', 'remount,ro', mountPoint]);
          expectError(await shell.run(['backup', 'web', '--json', '--repo', repo]), 1, 'REPO_NOT_WRITABLE');
        } finally {
          execFileSync('umount', [mountPoint]);
        }
      },
      120_000,
    );

    /** The largest file below a folder of the repository. */
    async function largest(folder: string): Promise<string> {
      let found = { path: '', size: 0 };
      for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
        const path = join(entry.parentPath, entry.name);
        const { size } = await stat(path);
        if (entry.isFile() && size > found.size) found = { path, size };
      }
      return found.path;
    }

    const flip = async (path: string): Promise<void> => {
      const bytes = await readFile(path);
      const middle = Math.floor(bytes.length / 2);
      bytes[middle] = (bytes[middle] ?? 0) ^ 0xff;
      await writeFile(path, bytes);
    };
    const cut = async (path: string): Promise<void> => truncate(path, Math.floor((await stat(path)).size / 2));

    test.each([
      ['a flipped byte in a pack', 'packs', flip],
      ['a truncated pack', 'packs', cut],
      ['a flipped byte in an index', 'index', flip],
      ['a truncated index', 'index', cut],
      ['a flipped byte in a manifest', 'points', flip],
      ['a truncated manifest', 'points', cut],
    ])('%s is found by verify and named', async (name, folder, spoil) => {
      const repo = await copyOf(name.replaceAll(' ', '-'));
      const victim = await largest(join(repo, folder));
      await spoil(victim);
      const verify = await shell.run(['verify', '--json', '--repo', repo]);
      expect(verify.exit, verify.stderr).toBe(13);
      const { damages } = documentOf(verify) as { damages: { key: string; error: { code: string } }[] };
      expect(damages.some(({ key }) => victim.endsWith(key))).toBe(true);
      await rm(repo, { recursive: true });
    });

    test('a damaged pack stops a restore with the byte range it would need, and takes the new images away again', async () => {
      const repo = await copyOf('unrestorable');
      await flip(await largest(join(repo, 'packs')));
      const before = (await shell.control.state()).images.length;
      const finished = await shell.run(['restore', 'latest', '--vm', 'web', '--name', 'broken', '--json', '--repo', repo]);
      expectError(finished, 13, 'REPO_CHUNK_CORRUPT');
      expect((await shell.control.state()).images).toHaveLength(before);
    });
  });

  test('after all of that the first restore point is whole, and the simulator has seen nothing it did not expect', async () => {
    expect((await shell.run(['verify'])).exit).toBe(0);
    expect((await shell.run(['restore', 'latest~1', '--vm', 'web', '--name', 'after-all', '-q'])).exit).toBe(0);
    expect(await shell.control.unexpectedErrors()).toEqual([]);
  });
});
