import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { silentLogger, systemClock } from '@onevault/base';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSettings } from '../../src/settings/settings-store.ts';

let directory: string;
beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), 'onevault-settings-')), 'settings');
});
afterEach(() => rm(dirname(directory), { recursive: true, force: true }));

const open = () => openSettings({ directory, clock: systemClock, logger: silentLogger });
const text = (path: string) => readFile(join(directory, path), 'utf8');
async function write(files: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(join(directory, 'policies'), { recursive: true });
  for (const [path, content] of Object.entries(files)) await writeFile(join(directory, path), content);
}

const NIGHTLY = `# everything that matters
kind: backup
name: nightly
repository: main
timezone: Europe/Berlin
select:
  include: [label=prod]   # see the wiki
schedules:
  - at: Mon..Fri 22:30
retention: { keepDaily: 7 }
`;
const REPOSITORIES = `# the big box
main:
  place: /srv/backups # RAID 6
  secretFile: main.passphrase
`;

describe('settings', () => {
  it('of a directory that does not exist are empty, and what is put there is there again', async () => {
    const settings = await open();
    expect(settings.current()).toMatchObject({ policies: [], repositories: [], defaultRole: 'viewer', caps: {} });
    await settings.putRepository({
      name: 'main',
      place: '/srv/b',
      secretFile: undefined,
      maintenance: { timezone: 'UTC', gc: undefined, verify: 'daily', verifyMode: 'sample' },
    });
    await settings.putPolicy({
      kind: 'backup',
      name: 'nightly',
      repository: 'main',
      timezone: 'UTC',
      select: { include: ['*'] },
      schedules: [{ at: 'daily' }],
    });
    await settings.setRole('alice', 'admin');
    const again = (await open()).current();
    expect(again.repositories).toEqual([
      { name: 'main', place: '/srv/b', secretFile: undefined, maintenance: { timezone: 'UTC', gc: undefined, verify: 'daily', verifyMode: 'sample' } },
    ]);
    expect(again.backupPolicies.map(({ policy }) => policy.name)).toEqual(['nightly']);
    expect({ ...again.roles }).toEqual({ alice: 'admin' });
    expect(again.roles['constructor']).toBeUndefined();
    expect(await text('policies/nightly.yaml')).not.toContain('circuitBreaker'); // defaults are not written down
  });

  it('that are applied as they were exported change nothing, and the export keeps comments', async () => {
    await write({
      'policies/nightly.yaml': NIGHTLY,
      'repositories.yaml': REPOSITORIES,
      'limits.yaml': 'perHost: 2\n',
      'roles.yaml': 'default: operator\nusers:\n  bob: admin\n',
    });
    const settings = await open();
    const exported = settings.export();
    expect(exported).toContain('# see the wiki');
    expect(exported).toContain('# RAID 6');
    expect(new Set((await settings.apply(exported)).map(({ action }) => action))).toEqual(new Set(['keep']));
    expect(settings.export()).toBe(exported);
    expect(await text('policies/nightly.yaml')).toBe(NIGHTLY);
    expect(await text('repositories.yaml')).toBe(REPOSITORIES);
  });

  it('change as one text says: what it does not name stays, and goes only when it says so', async () => {
    await write({
      'policies/nightly.yaml': NIGHTLY,
      'repositories.yaml': `${REPOSITORIES}old:\n  place: /old\n`,
      'notifications.yaml': '# who\n- { name: hook, kind: webhook, url: "https://x/y", on: [failed] }\n',
    });
    const settings = await open();
    const wanted = 'repositories:\n  main:\n    place: /srv/new\n    secretFile: main.passphrase\nlimits: { total: 4 }\n';
    const diff = settings.diff(wanted);
    expect(diff.map(({ kind, name, action }) => [kind, name, action])).toEqual([
      ['repository', 'main', 'change'],
      ['limit', 'total', 'create'],
    ]);
    expect(diff[0]?.diff).toBe('-place: /srv/backups\n+place: /srv/new\n secretFile: main.passphrase\n');
    expect(settings.current().repositories[0]?.place).toBe('/srv/backups');
    await settings.apply(wanted);
    expect(settings.current().caps).toEqual({ total: 4 });
    expect(settings.current().repositories.map(({ name, place }) => [name, place])).toEqual([
      ['main', '/srv/new'],
      ['old', '/old'],
    ]);
    expect(await text('repositories.yaml')).toContain('# the big box');
    const removed = await settings.apply(`removeUnlisted: true\n${wanted}`);
    expect(removed.filter(({ action }) => action === 'remove').map(({ kind, name }) => `${kind}/${name}`)).toEqual(['repository/old']);
    expect(settings.current().notifications).toHaveLength(1); // a section that the text does not have is not meant
    expect(settings.current().policies).toHaveLength(1);
  });

  it('take a policy as it stands in its file, and several documents at once', async () => {
    await write({ 'repositories.yaml': REPOSITORIES });
    const settings = await open();
    const changes = await settings.apply(`${NIGHTLY}---\n${NIGHTLY.replace('name: nightly', 'name: second')}`);
    expect(changes.map(({ name, action }) => [name, action])).toEqual([
      ['nightly', 'create'],
      ['second', 'create'],
    ]);
    expect(await text('policies/nightly.yaml')).toContain('# see the wiki');
  });

  it('with faults refuse to open, and name all of them', async () => {
    await write({
      'policies/nightly.yaml': NIGHTLY.replace('Mon..Fri 22:30', 'sometimes').replace('repository: main', 'repository: nowhere'),
      'policies/other.yaml': NIGHTLY.replace('label=prod', 'colour=red'),
      'repositories.yaml': 'main:\n  place: relative/path\n  password: secret\n',
      'notifications.yaml': '- { name: hook, kind: webhook, url: "https://user:pw@x/y", on: [failed] }\n',
      'limits.yaml': 'total: 0\n',
      'roles.yaml': 'users: { bob: king }\n',
      'policies/broken.yaml': 'kind: [backup\n',
      'policies/readme.txt': 'hello\n',
    });
    const error = await open().catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'SERVER_SETTINGS_INVALID' });
    const issues = (error as { details: { issues: { path: string }[] } }).details.issues.map(({ path }) => path);
    for (const place of [
      'policies/nightly.yaml: schedules.0.at',
      'policies/other.yaml',
      'policies/broken.yaml',
      'policies/readme.txt',
      'repository/main: place',
      'repository/main',
      'notification/hook: url',
      'limits.yaml: total',
      'roles.yaml: users.bob',
    ])
      expect(issues).toContain(place);
    expect(String(error)).not.toContain('user:pw');
  });

  it('are refused whole when one part is not valid, and the files are as they were', async () => {
    await write({ 'policies/nightly.yaml': NIGHTLY, 'repositories.yaml': REPOSITORIES });
    const settings = await open();
    const before = await readdir(directory, { recursive: true });
    for (const yaml of [
      'limits: { total: 3 }\nrepositories: { main: { place: relative } }\n',
      'removeUnlisted: true\nrepositories: {}\n', // nightly would have none
      'polices: []\n',
      'policies: [{ kind: backup }]\n',
      'a: &a [*a]\n',
      '[]\n',
      '',
      'repositories: { a: { place: /a }, a: { place: /b } }\n',
    ])
      await expect(settings.apply(yaml), yaml).rejects.toMatchObject({ code: 'SERVER_SETTINGS_INVALID' });
    expect(await readdir(directory, { recursive: true })).toEqual(before);
    expect(settings.current().caps).toEqual({});
    await expect(settings.removeRepository('main')).rejects.toMatchObject({ code: 'SERVER_SETTINGS_CONFLICT' });
    await expect(settings.removePolicy('nope')).rejects.toMatchObject({ code: 'SERVER_NOT_FOUND' });
  });

  it('edited by hand are taken at a reload, and before a change is made to them; a broken file leaves what was', async () => {
    await write({ 'policies/nightly.yaml': NIGHTLY, 'repositories.yaml': REPOSITORIES });
    const settings = await open();
    const told: number[] = [];
    using _listener = settings.onChange(({ policies }) => told.push(policies[0]?.policy.priority ?? -1));
    await write({ 'policies/nightly.yaml': `${NIGHTLY}priority: 70\n` });
    await settings.reload();
    await settings.reload();
    expect(told).toEqual([70]);
    await write({ 'limits.yaml': 'total: 9\n' });
    await settings.setRole('bob', 'viewer');
    expect(settings.current().caps).toEqual({ total: 9 });
    await write({ 'policies/nightly.yaml': 'kind: backup\n' });
    await expect(settings.reload()).rejects.toMatchObject({ code: 'SERVER_SETTINGS_INVALID' });
    await expect(settings.setRole('bob', 'admin')).rejects.toMatchObject({ code: 'SERVER_SETTINGS_INVALID' });
    expect(settings.current().policies[0]?.policy.priority).toBe(70);
    expect(await text('roles.yaml')).toContain('bob: viewer');
  });

  it('that a crash left half changed are whole again when they are opened', async () => {
    await write({ 'policies/nightly.yaml': NIGHTLY, 'repositories.yaml': REPOSITORIES });
    const files = { 'policies/nightly.yaml': null, 'repositories.yaml': 'other:\n  place: /other\n', 'limits.yaml': 'total: 5\n' };
    await write({ '.change.json': JSON.stringify({ files }), 'limits.yaml': 'total: 5\n' }); // the first of three is done
    const settings = (await open()).current();
    expect(settings).toMatchObject({ policies: [], caps: { total: 5 }, repositories: [{ name: 'other' }] });
    expect(await readdir(directory)).not.toContain('.change.json');
    await write({ '.change.json': JSON.stringify({ files: { '../../etc/passwd': 'x' } }) });
    await expect(open()).rejects.toMatchObject({ code: 'SERVER_STATE_UNUSABLE' });
  });
});
