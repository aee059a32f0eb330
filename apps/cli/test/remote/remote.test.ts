import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ran, runMain, startMain } from '../support/command-line.ts';
import { type FakeHandler, type FakeServer, fakeServer, Refused } from '../support/fake-server.ts';
import { BASE, events, NOW, run, TOKEN } from '../support/remote-answers.ts';
import { backupReport } from '../support/sample-events.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'onevault-remote-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function at(
  handlers: Readonly<Record<string, FakeHandler>>,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ran & { calls: FakeServer['calls'] }> {
  await using server = await fakeServer({ ...BASE, ...handlers });
  const ran = await runMain(args, { ONEVAULT_SERVER: server.url, ONEVAULT_TOKEN: TOKEN, ...env });
  return { ...ran, calls: server.calls };
}

function only<T extends { readonly id: string }>(calls: readonly T[], id: string): readonly T[] {
  return calls.filter((call) => call.id === id);
}

describe('a command through a server', () => {
  it('lists VMs page by page, as it does alone, and says how each is protected', async () => {
    const { exit, out, calls } = await at({}, ['vm', 'list', '--csv', '--list', 'ID,NAME,DISKS,SIZE,PROTECTION']);
    expect({ exit, out }).toEqual({
      exit: 0,
      out: 'ID,NAME,DISKS,SIZE,PROTECTION\n5,db,2,1.0 GiB,unprotected\n6,web,2,1.0 GiB,unprotected\n',
    });
    expect(calls[0]?.headers.authorization).toBe(`Bearer ${TOKEN}`);
    const { out: json } = await at({}, ['vm', 'list', '--json']);
    expect(JSON.parse(json)).toMatchObject({ schemaVersion: 1, type: 'vm.list', vms: [{ id: 5, user: 'alice', disks: 2 }, { id: 6 }] });
  });

  it('backs up VMs as one run each, begun once, and prints the same line as alone', async () => {
    const { exit, out, err, calls } = await at({}, ['backup', 'web', '5', '--full']);
    expect(exit).toBe(0);
    expect(out.split('\n').filter((line) => line.startsWith('backup vm=6 name=web result=ok'))).toHaveLength(2);
    expect(err).toContain('VM 6 web: backup, run w-1');
    expect(err).not.toContain('undefined');
    const started = only(calls, 'startRun');
    expect(started.map(({ body }) => body)).toEqual([6, 5].map((vmId) => ({ kind: 'backup', vmId, repository: 'main', mode: 'full' })));
    expect(new Set(started.map(({ headers }) => headers['idempotency-key'])).size).toBe(2);
  });

  it('prints events of the run as JSON lines, the result last', async () => {
    const { out } = await at({}, ['backup', '6', '--jsonl']);
    const lines = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; vmName?: string });
    expect(lines.map(({ type }) => type)).toEqual(['run.taken', 'run.started', 'backup.result']);
    expect(lines[1]).toMatchObject({ schemaVersion: 1, vmName: 'web' });
  });

  it('fails as the run failed, with its code, hint and the exit code of that code', async () => {
    const failure = { code: 'REPO_LOCKED', message: 'somebody holds it', hint: 'wait' };
    const { exit, err } = await at({ getRun: () => run('r-6', 'failed', { failure }) }, ['backup', '6', '--json']);
    expect(exit).toBe(11);
    expect(JSON.parse(err)).toMatchObject({ type: 'exit_error', exitCode: 11, code: 'REPO_LOCKED', hint: 'wait' });
    const several = await at(
      { getRun: ({ params }) => (params['runId'] === 'r-6' ? run('r-6', 'failed', { failure }) : BASE['getRun']?.({ params } as never)) },
      ['backup', '5', '6'],
    );
    expect(several.exit).toBe(3);
    expect(several.out).toContain('backup vm=6 result=failed code=REPO_LOCKED');
  });

  it('goes on watching behind the last event when the connection breaks, and does not begin the run again', async () => {
    let connections = 0;
    const states = ['running', 'succeeded'];
    const { exit, calls } = await at(
      {
        watchRun: () => (connections++ === 0 ? events('run.started', 'step.started') : events()),
        getRun: () => run('r-6', states.shift() ?? 'succeeded', { report: { ...backupReport } }),
      },
      ['backup', '6'],
    );
    expect(exit).toBe(0);
    expect(only(calls, 'startRun')).toHaveLength(1);
    expect(only(calls, 'watchRun').map(({ headers }) => headers['last-event-id'])).toEqual([undefined, '2']);
  });

  it('leaves a run to the server when the person who watches goes, and says how to cancel it', async () => {
    let watching = (): void => undefined;
    const isWatching = new Promise<void>((resolve) => {
      watching = resolve;
    });
    await using server = await fakeServer({
      ...BASE,
      watchRun: async function* () {
        yield* events('run.started');
        watching();
        await new Promise(() => undefined);
      },
    });
    const command = startMain(['backup', '6'], { ONEVAULT_SERVER: server.url, ONEVAULT_TOKEN: TOKEN });
    await isWatching;
    command.signal('SIGINT');
    const { exit, err } = await command.ran;
    expect(exit).toBe(130);
    expect(err).toContain('run r-6 goes on at the server; onevault run cancel r-6 stops it');
    expect(only(server.calls, 'cancelRun')).toHaveLength(0);
  });

  it('restores the newest point of a VM, with names looked up among what one may use', async () => {
    const report = { kind: 'restore', runId: 'w', pointId: 'p', vmId: 12, vmName: 'web-2', disks: [], notes: [], durationMs: 1, residue: [] };
    const args = ['restore', 'latest', '--vm', 'web', '--name', 'web-2', '--image-datastore', 'fast', '--network', 'lan=3', '--answer', 'uuid=new', '--hold'];
    const { exit, out, calls } = await at({ getRun: () => run('r-1', 'degraded', { report }) }, args);
    expect({ exit, out }).toEqual({ exit: 3, out: expect.stringMatching(/^restore vm=12 name=web-2 result=ok/) });
    expect(only(calls, 'startRun')[0]?.body).toEqual({
      kind: 'restore',
      repository: 'main',
      pointId: '20261128t020000-b',
      name: 'web-2',
      imageDatastore: 101,
      networks: { lan: '3' },
      answers: { uuid: 'new' },
      method: 'auto',
      hold: true,
    });
    const given = ['--owner', 'bob', '--group', '100', '--permissions', '640', '--as-saved'];
    const forBob = await at({ getRun: () => run('r-1', 'succeeded', { report }) }, ['restore', 'latest', '--vm', 'web', '--name', 'web-2', ...given]);
    expect(only(forBob.calls, 'startRun')[0]?.body).toMatchObject({ owner: 'bob', group: '100', permissions: '640', asSaved: true });
    const unknown = await at({}, ['restore', 'latest', '--vm', '6', '--name', 'x', '--image-datastore', 'slow']);
    expect(unknown).toMatchObject({ exit: 2, err: expect.stringContaining("there is no datastore 'slow'") });
  });

  it('shows what a restore would do, and begins none', async () => {
    const preview = {
      objects: [{ kind: 'vm', name: 'x', what: 'RUNNING', temporary: false }],
      definition: [
        { path: 'CPU', action: 'keep', code: 'K', reason: 'as it was' },
        { path: 'NIC/0/MAC', action: 'strip', before: '02:00', code: 'M', reason: 'new' },
      ],
      questions: [],
      checks: [{ severity: 'error', code: 'NO_SPACE', what: 'datastore', why: 'is full', remedy: 'make room' }],
      notes: [],
      verdict: 'impossible',
      possible: false,
    };
    const { exit, out, calls } = await at({ previewRestore: () => preview }, ['restore', '20261128t020000-b', '--name', 'x', '--dry-run']);
    expect(exit).toBe(3);
    expect(out).toContain('strip      NIC/0/MAC: 02:00 -> -; new (M)');
    expect(out).toContain('error: datastore: is full; make room (NO_SPACE)');
    expect(out).not.toContain('CPU');
    expect(only(calls, 'startRun')).toHaveLength(0);
  });

  it('lists restore points oldest first, with what keeps them', async () => {
    const { out } = await at({}, ['point', 'list', 'web', '--csv', '--list', 'POINT,TAGS,KEPT_BY']);
    expect(out).toBe('POINT,TAGS,KEPT_BY\n20261127t020000-a,gold,daily#1\n20261128t020000-b,gold,daily#1\n');
    expect(await at({}, ['point', 'list'])).toMatchObject({ exit: 2 });
  });

  it('reverts to the snapshots that it asked about', async () => {
    const refusal = { code: 'SNAPSHOT_FOREIGN', text: 'not ours', remedy: 'leave it' };
    const set = (reference: string, ours: boolean) => ({
      ...(ours && { setId: reference }),
      reference,
      name: ours ? 'before' : 'by-hand',
      createdAt: NOW,
      ours,
      origin: ours ? 'set' : 'foreign',
      disks: [{ diskId: 0, snapshotId: 1, active: true, sizeBytes: 1 }],
      missingDisks: [],
      canRevert: ours,
      canDelete: ours,
      revertRefusals: ours ? [] : [refusal],
      deleteRefusals: ours ? [] : [refusal],
      reasons: [],
    });
    const report = {
      kind: 'snapshot',
      action: 'revert',
      runId: 'w',
      vmId: 6,
      vmName: 'web',
      sets: [],
      disks: [],
      notes: [],
      warnings: [],
      durationMs: 1,
      residue: [],
    };
    const handlers = { listSnapshots: () => [set('0:9', false), set('20261128t01-x', true)], getRun: () => run('r-6', 'succeeded', { report }) };
    const { exit, calls } = await at(handlers, ['snapshot', 'revert', 'web', 'latest', '--stop-timeout', '90s']);
    expect(exit).toBe(0);
    expect(only(calls, 'startRun')[0]?.body).toMatchObject({ kind: 'snapshot-revert', vmId: 6, set: '20261128t01-x', safety: false, stopTimeout: '90s' });
    expect((await at(handlers, ['snapshot', 'list', '6', '--csv', '--list', 'NAME,DELETABLE'])).out).toBe(
      'NAME,DELETABLE\nby-hand,SNAPSHOT_FOREIGN\nbefore,yes\n',
    );
    expect(await at(handlers, ['snapshot', 'delete', '6', 'never', '--json'])).toMatchObject({
      exit: 1,
      err: expect.stringContaining('CLI_SNAPSHOT_NOT_FOUND'),
    });
  });

  it('lists, shows and cancels runs', async () => {
    const handlers = { listRuns: () => ({ items: [run('r-9', 'failed', { failure: { code: 'X_Y', message: 'no' } })] }), cancelRun: () => ({ id: 'r-9' }) };
    expect((await at(handlers, ['run', 'list', '--csv', '--list', 'RUN,VM,STATE,TOOK,WHY'])).out).toBe('RUN,VM,STATE,TOOK,WHY\nr-9,6,failed,1 min 00 s,X_Y\n');
    expect((await at(handlers, ['run', 'show', 'r-9'])).out).toContain('STATE    : succeeded');
    expect(await at(handlers, ['run', 'cancel', 'r-9'])).toMatchObject({ exit: 0, out: 'run id=r-9 cancel=asked\n' });
    expect((await at({}, ['run', 'watch', 'r-9'])).out).toBe('run id=r-9 kind=backup result=succeeded\n');
  });

  it('applies settings as a whole, shows what they would change, and prints them back', async () => {
    const file = join(directory, 'settings.yaml');
    await writeFile(file, 'policies: []\n');
    const changes = [
      { kind: 'policy', name: 'nightly', action: 'create', diff: '+ name: nightly' },
      { kind: 'policy', name: 'old', action: 'keep', diff: '' },
    ];
    const handlers: Record<string, FakeHandler> = {
      applySettings: ({ body }) => ({ changes, applied: !(body as { dryRun: boolean }).dryRun }),
      exportSettings: () => 'policies: []\n',
    };
    expect(await at(handlers, ['diff', '-f', file])).toMatchObject({ exit: 3, out: 'create policy nightly\n  + name: nightly\n' });
    const applied = await at(handlers, ['apply', '-f', file, '--yes']);
    expect(applied).toMatchObject({ exit: 0, out: 'apply result=ok created=1 changed=0 removed=0 kept=1\n' });
    expect(applied.calls.map(({ body }) => body)).toEqual([{ yaml: 'policies: []\n', dryRun: false }]);
    expect((await at(handlers, ['export', 'settings'])).out).toBe('policies: []\n');
  });

  it('makes a token by signing in with ONE_AUTH, and says its secret once', async () => {
    const auth = join(directory, 'auth');
    await writeFile(auth, 'alice:pass:word\n');
    const token = { id: 't-1', name: 'ci', role: 'operator', expiresAt: NOW, owner: 'alice', createdAt: NOW };
    const { exit, out, calls } = await at(
      {
        signIn: ({ body }) => ({ ...(body as object), userId: 2, groups: [], role: 'admin', csrfToken: 'c-1', expiresAt: NOW, version: '1' }),
        createToken: ({ headers }) => {
          if (headers.cookie !== 'onevault_session=s1' || headers['x-csrf-token'] !== 'c-1') throw new Refused(403, 'SERVER_CSRF', 'no');
          return { ...token, secret: 'ov_secret' };
        },
        signOut: () => undefined,
      },
      ['token', 'create', 'ci', '--role', 'operator', '--expires', '30d'],
      { ONE_AUTH: auth, ONE_XMLRPC: 'http://127.0.0.1:1/RPC2' },
    );
    expect({ exit, out }).toEqual({ exit: 0, out: 'ov_secret\n' });
    expect(calls.map(({ id }) => id)).toEqual(['signIn', 'createToken', 'signOut']);
    expect(calls[0]?.body).toEqual({ user: 'alice', password: 'pass:word' });
    expect(calls[0]?.headers.authorization).toBeUndefined();
  });

  it('shows who did what, page by page', async () => {
    const record = (seq: number) => ({ seq, time: NOW, actor: { kind: 'user', name: 'alice' }, action: 'startRun', object: 'vm 6', outcome: 'ok', hash: 'h' });
    const { out, calls } = await at(
      { readAudit: ({ query }) => (query['beforeSeq'] === undefined ? Array.from({ length: 500 }, (_, at) => record(900 - at)) : [record(400)]) },
      ['audit', '--limit', '600', '--csv', '--list', 'SEQ'],
    );
    expect(out.trim().split('\n')).toHaveLength(502);
    expect(calls.map(({ query }) => query['beforeSeq'])).toEqual([undefined, 401]);
    const broken = { records: 5, firstBreak: { path: 'a.jsonl', line: 3, kind: 'out-of-order' } };
    expect(await at({ verifyAudit: () => broken }, ['audit', 'verify'])).toMatchObject({ exit: 13, out: expect.stringContaining('result=broken') });
  });

  it('previews what the retention of a policy of the server keeps', async () => {
    const day = (pointId: string, keptBy: string[]) => ({ pointId, vmId: 6, capturedAt: NOW, keptBy });
    const { exit, out } = await at({ retentionCalendar: () => ({ items: [day('p-1', ['daily#1']), day('p-2', [])] }) }, [
      'retention',
      'preview',
      '--for',
      'nightly',
      '--vm',
      '6',
    ]);
    expect({ exit, last: out.trim().split('\n').at(-1) }).toEqual({ exit: 0, last: 'retention result=ok points=2 would_forget=1' });
    expect(await at({}, ['retention', 'preview'])).toMatchObject({ exit: 2 });
  });
});

describe('what cannot be', () => {
  it('is said of commands that need this machine', async () => {
    for (const args of [['recover'], ['nbd', 'serve', 'latest'], ['repo', 'stats'], ['plan', '--all']]) {
      expect(await at({}, [...args, '--json'])).toMatchObject({ exit: 2, err: expect.stringContaining('CLI_NOT_THROUGH_SERVER') });
    }
  });

  it('is said of flags that a server does not take', async () => {
    expect(await at({}, ['restore', 'latest', '--vm', '6', '--name', 'x', '--keep-on-failure'])).toMatchObject({
      exit: 2,
      err: expect.stringContaining('--keep-on-failure'),
    });
    expect(await at({}, ['backup', '6', '--no-recover'])).toMatchObject({ exit: 2, err: expect.stringContaining('--no-recover') });
    expect(await at({}, ['backup', '6', '--parallel-disks', '4'])).toMatchObject({ exit: 2, err: expect.stringContaining('--parallel-disks') });
    expect(await at({}, ['vm', 'list', '--repo', '/a/path'])).toMatchObject({ exit: 2 });
  });

  it('is said of commands that need a server where none is named', async () => {
    expect(await runMain(['run', 'list', '--json'], {})).toMatchObject({ exit: 2, err: expect.stringContaining('CLI_SERVER_UNSET') });
    expect(await runMain(['token', 'create', 'ci', '--json'], {})).toMatchObject({ exit: 2, err: expect.stringContaining('CLI_SERVER_UNSET') });
  });

  it('is a token that others may read, that is none, or that stands in the address', async () => {
    const file = join(directory, 'token');
    await writeFile(file, `${TOKEN}\n`, { mode: 0o600 });
    const env = { ONEVAULT_TOKEN: '', ONEVAULT_TOKEN_FILE: file };
    expect(await at({}, ['vm', 'list', '--json'], env)).toMatchObject({ exit: 0 });
    await chmod(file, 0o640);
    expect(await at({}, ['vm', 'list', '--json'], env)).toMatchObject({ exit: 2, err: expect.stringContaining('CLI_TOKEN_UNREADABLE') });
    expect(await at({}, ['vm', 'list', '--json'], { ONEVAULT_TOKEN: 'two words here' })).toMatchObject({
      exit: 2,
      err: expect.stringContaining('CLI_TOKEN_UNREADABLE'),
    });
    expect(await runMain(['vm', 'list'], { ONEVAULT_SERVER: 'https://u:p@server' })).toMatchObject({ exit: 2 });
    expect(await runMain(['vm', 'list'], { ONEVAULT_SERVER: 'server' })).toMatchObject({ exit: 2 });
  });

  it('is a server that refuses, is none, or does not answer', async () => {
    const refused = await at({ listVms: () => Promise.reject(new Refused(401, 'SERVER_NOT_SIGNED_IN', 'the token has expired')) }, ['vm', 'list', '--json']);
    expect(refused).toMatchObject({ exit: 21, err: expect.stringContaining('SERVER_NOT_SIGNED_IN') });
    const gone = await runMain(['vm', 'list', '--json'], { ONEVAULT_SERVER: 'http://127.0.0.1:1', ONEVAULT_TOKEN: TOKEN });
    expect(gone).toMatchObject({ exit: 21, err: expect.stringContaining('API_UNREACHABLE') });
    for (const { err } of [refused, gone]) expect(err).not.toContain(TOKEN);
  });

  it('is trusted less when what is sent to it can be read on the way', async () => {
    const { err } = await runMain(['vm', 'list'], { ONEVAULT_SERVER: 'http://backup.invalid:1', ONEVAULT_TOKEN: TOKEN });
    expect(err).toContain('in the clear');
  });
});
