import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeWith, requiresCommand, requiresRoot, testWith } from '../support/requires.ts';
import { finished, ROOT } from './scratch.mjs';

const needed = [requiresCommand('pnpm', 'run it by `npm test`, which brings pnpm'), requiresCommand('tar', 'apt-get install tar')];

describeWith(needed, 'the bundle', () => {
  let dir;
  let home;
  let version;
  let digest;

  /** What `npm run bundle` runs when everything is built; vitest's own settings must not leak into the product's. */
  function makeBundle(out) {
    const { NODE_ENV: _, VITEST: __, ...env } = process.env;
    const output = execFileSync(process.execPath, [`${ROOT}scripts/bundle.mjs`, '--out', out], { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
    return output.split(' ')[0];
  }

  beforeAll(async () => {
    dir = await mkdtemp(`${tmpdir()}/onevault-bundle-test-`);
    const archive = makeBundle(dir);
    digest = sha256(await readFile(archive));
    execFileSync('tar', ['-C', dir, '-xzf', archive]);
    await rm(archive);
    [home] = (await readdir(dir)).map((name) => `${dir}/${name}`);
    version = JSON.parse(await readFile(`${ROOT}apps/cli/package.json`, 'utf8')).version;
    execFileSync('mkdir', [`${dir}/only-node`]);
    await symlink(process.execPath, `${dir}/only-node/node`);
  }, 120_000);

  afterAll(() => rm(dir, { recursive: true, force: true }));

  /** The launcher as a person starts it, in an environment with nothing but node on PATH. */
  function onevault(args, { offline = false } = {}) {
    const env = ['-i', `PATH=${dir}/only-node`, `HOME=${dir}`];
    const command = [...(offline ? ['unshare', '--net'] : []), 'env', ...env, `${home}/bin/onevault`, ...args];
    return finished(command[0], command.slice(1), { cwd: '/' });
  }

  test('is named after its version and platform, and says what it is', async () => {
    expect(home).toMatch(new RegExp(`/onevault-${version}-linux-x64$`));
    expect((await readdir(home)).sort()).toEqual(['LICENSE', 'README.md', 'VERSION', 'bin', 'lib', 'share']);
    expect((await readFile(`${home}/VERSION`, 'utf8')).trim()).toBe(version);
    expect(await readFile(`${home}/LICENSE`, 'utf8')).toContain('Apache License');
  });

  test('has every native part for glibc and for musl', async () => {
    const natives = (await everything()).filter((entry) => entry.name.endsWith('.node')).map(({ parentPath, path, name }) => `${parentPath ?? path}/${name}`);
    const musl = natives.filter((path) => path.includes('musl'));
    expect(musl.length).toBeGreaterThan(0);
    expect(natives.length).toBe(musl.length * 2);
  });

  test('has no links, maps, type declarations or development packages', async () => {
    const entries = await everything();
    expect(entries.filter((entry) => entry.isSymbolicLink())).toEqual([]);
    expect(
      entries.map(({ name }) => name).filter((name) => /\.map$|\.d\.[cm]?ts$/.test(name) || ['typescript', 'vitest', 'fast-check', 'tsup'].includes(name)),
    ).toEqual([]);
  });

  test('keeps the licence of every package in it', async () => {
    const dirs = (await everything()).filter(
      ({ name, parentPath, path }) => name === 'package.json' && /\/node_modules\/(@[^/]+\/)?[^/]+$/.test(parentPath ?? path),
    );
    const without = [];
    for (const { parentPath, path } of dirs) {
      const names = await readdir(parentPath ?? path);
      if (!names.some((name) => /^(licen[cs]e|copying)/i.test(name))) without.push((parentPath ?? path).replace(/.*\/node_modules\//, ''));
    }
    // Our own carry ours at the top, platform packages theirs in the package that loads them; @nodable/entities was published without its text (MIT).
    // Three packages of the AWS SDK were published without the text that all the others of it carry (Apache-2.0); so were three below pg and fastify (MIT, in their
    // manifests and READMEs).
    const known =
      /^@onevault\/|^(pgpass|pg-types|abstract-logging)$|-linux-x64(-(gnu|musl))?$|^@nodable\/entities$|^@aws-sdk\/(nested-clients|credential-provider-(login|http))$/;
    expect(without.filter((name) => !known.test(name))).toEqual([]);
  });

  test('runs with nothing on PATH but node', async () => {
    expect(await onevault(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  test('loads its native parts', async () => {
    const load = ['@napi-rs/blake-hash', '@toondepauw/node-zstd', 'koffi'].map((name) => `require('${name}')`).join(';');
    const { code, stderr } = await finished(process.execPath, ['-e', load], { cwd: `${home}/lib` });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  test('begins a database from what was prepared: PGlite would take 800 MiB to make one', async () => {
    const begin = `
      import { readFileSync } from 'node:fs';
      import { systemClock } from '@onevault/base';
      import { openDatabase } from '@onevault/run-queue';
      await openDatabase({ kind: 'embedded', directory: '${dir}/database' }, { clock: systemClock });
      process.stdout.write(/VmHWM:\\s+(\\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
    `;
    const { code, stdout, stderr } = await finished(process.execPath, ['--input-type=module', '-e', begin], { cwd: `${home}/lib` });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(Number(stdout) / 1024).toBeLessThan(500);
  });

  testWith([requiresRoot(), requiresCommand('unshare', 'apt-get install util-linux')], 'makes and verifies a repository without any network', async () => {
    const repository = `${dir}/repository`;
    expect(await onevault(['--repo', repository, 'init'], { offline: true })).toMatchObject({ code: 0 });
    expect(await onevault(['--repo', repository, 'verify'], { offline: true })).toMatchObject({ code: 0 });
  });

  test('does the whole job by the trial that is in it, on a simulator of its own', async () => {
    const server = spawn(`${home}/bin/onevault`, ['sim', 'start', '--dir', `${dir}/cloud`, '--times', '0.1'], {
      env: { PATH: `${dir}/only-node`, HOME: dir },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      let printed = '';
      server.stdout.on('data', (chunk) => {
        printed += chunk;
      });
      while (!/ONEVAULT_PROXY_ROOT/.test(printed)) await once(server.stdout, 'data');
      const exported = Object.fromEntries([...printed.matchAll(/^export (\w+)='([^']*)'$/gm)].map(([, name, value]) => [name, value]));
      const env = { PATH: `${dir}/only-node`, HOME: dir, ...exported };
      const made = await finished(`${home}/bin/onevault`, ['sim', 'create-vm', 'lab', '--disk', '8MiB', '--json'], { env });
      expect(made.code, made.stderr).toBe(0);
      const trial = { ...env, ONEVAULT_REAL: '1', ONEVAULT_REAL_VM: '1', ONEVAULT_REAL_PROXY: '0' };
      const { code, stdout, stderr } = await finished(process.execPath, [`${home}/share/try-cloud/main.mjs`], { env: trial });
      expect(code, stdout + stderr).toBe(0);
      expect(stdout).toContain('1 disks, byte for byte');
      expect(stdout).toContain('nothing of ours is left');
    } finally {
      server.kill('SIGTERM');
      if (server.exitCode === null && server.signalCode === null) await once(server, 'exit');
    }
  }, 120_000);

  test('is the same bytes when it is made again, and making it leaves the workspace alone', async () => {
    const before = await readdir(`${ROOT}node_modules/.bin`);
    expect(sha256(await readFile(makeBundle(dir)))).toBe(digest);
    expect(await readdir(`${ROOT}node_modules/.bin`)).toEqual(before);
    expect(before.filter((name) => name.startsWith('.ignored'))).toEqual([]);
  }, 180_000);

  function everything() {
    return readdir(`${home}/lib`, { withFileTypes: true, recursive: true });
  }
});

function sha256(bytes) {
  return createHash('sha256').update(bytes).digest('hex');
}
