import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ran, runMain } from '../support/command-line.ts';
import { type FakeCall, type FakeHandler, fakeServer, Refused } from '../support/fake-server.ts';
import { BASE, NOW, run, TOKEN } from '../support/remote-answers.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'onevault-remote-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function at(handlers: Readonly<Record<string, FakeHandler>>, ...args: readonly string[]): Promise<Ran & { readonly calls: readonly FakeCall[] }> {
  await using server = await fakeServer({ ...BASE, ...handlers });
  const ran = await runMain(args, { ONEVAULT_SERVER: server.url, ONEVAULT_TOKEN: TOKEN });
  return { ...ran, calls: server.calls };
}

const started = (calls: readonly FakeCall[]): unknown[] => calls.filter(({ id }) => id === 'startRun').map(({ body }) => body);

const swapReport = (action: string) => ({
  kind: 'swap',
  action,
  runId: 'w-1',
  vmId: 6,
  vmName: 'web',
  disks: [],
  undoUntil: NOW,
  notes: [],
  warnings: [],
  durationMs: 1,
  residue: [],
});

const preview = {
  objects: [{ kind: 'image', name: 'web-vda', diskId: 0, what: 'in place of image 3', temporary: false }],
  definition: [],
  questions: [],
  checks: [],
  notes: [],
  verdict: 'possible',
  possible: true,
  stops: true,
};

describe('through a server', () => {
  it('the log of a run has what happened and what its worker said, a line each that nothing can forge', async () => {
    const head = { id: '1', time: NOW, runId: 'r-1' };
    const lines = [
      { ...head, type: 'run.taken', data: { worker: 'w', attempt: 1 } },
      { ...head, type: 'disk.progress', data: { diskId: 0 } },
      { ...head, type: 'log', data: { level: 'warn', message: 'disk not\ndetached', fields: { diskId: 2 } } },
    ];
    const body = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
    const { exit, out } = await at({ runLog: () => body }, 'run', 'log', 'r-1');
    expect(exit).toBe(0);
    expect(out.trimEnd().split('\n')).toEqual([`${NOW} EVENT run.taken worker="w" attempt=1`, expect.stringMatching(/WARN {2}disk not.+detached diskId=2$/)]);
    const { out: raw } = await at({ runLog: () => body }, 'run', 'log', 'r-1', '--jsonl');
    expect(raw).toBe(body);
  });

  it('one VM is shown with its disks and what a backup would do', async () => {
    const disk = { diskId: 0, target: 'vda', sizeBytes: 1024 ** 3, imageId: 3, image: 'root', persistent: true, snapshots: [] };
    const getVm = () => ({
      ...vmOf(6),
      hypervisor: 'kvm',
      verdict: 'degraded',
      reasons: [{ code: 'SPACE_TIGHT', text: 'little space' }],
      disks: [{ ...disk, capture: { verdict: 'ok', method: 'snapshot', reasons: [] } }],
    });
    const { exit, out } = await at({ getVm }, 'vm', 'show', 'web');
    expect(exit).toBe(0);
    expect(out).toContain('HYPERVISOR : kvm');
    expect(out).toMatch(/ vda +1\.0 GiB +3 root .* snapshot/);
    expect(out).toContain('note: little space (SPACE_TIGHT)');
  });

  it('disks go back to the VM that the restore point is of, and come back with undo', async () => {
    const handlers = { previewRestore: () => preview, getRun: () => run('r-6', 'succeeded', { report: swapReport('in-place') }) };
    const shown = await at(handlers, 'in-place', 'latest', '--vm', 'web', '--disk', '0', '--dry-run');
    expect(shown).toMatchObject({ exit: 0, out: expect.stringContaining('the VM is stopped for it and started again') });
    expect(started(shown.calls)).toEqual([]);
    const done = await at(handlers, 'in-place', 'latest', '--vm', 'web', '--disk', '0', '--hard', '--keep-undo', '2w');
    expect(done).toMatchObject({ exit: 0, out: expect.stringMatching(/^in-place vm=6 name=web result=ok/) });
    expect(started(done.calls)).toEqual([
      {
        kind: 'restore-in-place',
        repository: 'main',
        pointId: '20261128t020000-b',
        disks: [0],
        keepUndo: '2w',
        delta: false,
        stopTimeout: '5m',
        hard: true,
      },
    ]);
    expect(await at(handlers, 'in-place', '20261128t020000-b', '--other-vm', '--vm', '7')).toMatchObject({ exit: 2 });
    const back = await at({ ...handlers, getRun: () => run('r-6', 'succeeded', { report: swapReport('undo') }) }, 'undo', 'web', '-y');
    expect(started(back.calls)).toEqual([{ kind: 'undo', vmId: 6, keepUndo: '7d', stopTimeout: '5m' }]);
    const image = { imageId: 3, name: 'root', sizeBytes: 1024, target: 'vda' };
    const sets = () => [{ set: 's-1', vmId: 6, since: NOW, until: NOW, complete: false, images: [image] }];
    expect((await at({ listUndoSets: sets }, 'undo', 'list', 'web', '--csv', '--list', 'SET,DISKS')).out).toBe('SET,DISKS\ns-1,vda INCOMPLETE\n');
  });

  it('a restore point is held, tagged and released by its whole id', async () => {
    const handlers = { holdPoint: () => undefined, releasePoint: () => undefined, tagPoint: () => undefined };
    const point = '20261128t020000-b';
    const held = await at(handlers, 'point', 'hold', point, '--reason', 'ticket 42', '--until', '2027-01-01');
    expect(held).toMatchObject({ exit: 0, out: `held ${point}: ticket 42, until 2027-01-01 23:59:59\n` });
    expect(held.calls.at(-1)).toMatchObject({ id: 'holdPoint', body: { reason: 'ticket 42', until: '2027-01-01T23:59:59.999Z' } });
    const tagged = await at(handlers, 'point', 'tag', point, 'silver');
    expect(tagged.calls.at(-1)).toMatchObject({ id: 'tagPoint', body: { tags: ['gold', 'silver'] } });
    const untagged = await at(handlers, 'point', 'tag', point, 'gold', '--remove');
    expect({ body: untagged.calls.at(-1)?.body, out: untagged.out }).toEqual({ body: { tags: [] }, out: `tags of ${point}: none\n` });
    expect(await at(handlers, 'point', 'tag', point, 'no tag')).toMatchObject({ exit: 2 });
    expect(await at(handlers, 'point', 'release', point, '--all')).toMatchObject({ exit: 0, out: `released ${point}: every hold\n` });
    expect(await at(handlers, 'point', 'release', point)).toMatchObject({ exit: 2 });
    expect(await at(handlers, 'point', 'hold', point, '--reason', 'x', '--by', 'me')).toMatchObject({ exit: 2 });
  });

  it('restore points are forgotten in a run each, and what a server keeps is said', async () => {
    const [one, other] = ['20261128t020000-b', '20261127t020000-a'];
    const shown = await at({}, 'point', 'forget', one, other, '--dry-run');
    expect({ exit: shown.exit, out: shown.out, started: started(shown.calls) }).toEqual({
      exit: 0,
      out: `would forget ${one} of VM web\nwould forget ${other} of VM web\n`,
      started: [],
    });
    const ids = ['r-1', 'r-2'];
    const failure = { code: 'REPO_POINT_HELD', message: 'it is held' };
    const done = await at(
      {
        startRun: () => ({ id: ids.shift() }),
        getRun: ({ params }) => (params['runId'] === 'r-1' ? run('r-1', 'succeeded', { report: { kind: 'forget' } }) : run('r-2', 'failed', { failure })),
      },
      'point',
      'forget',
      one,
      other,
    );
    expect(done).toMatchObject({ exit: 3, out: `forgot ${one} of VM web\n`, err: expect.stringContaining(`kept ${other} of VM web: it is held`) });
    expect(started(done.calls)).toEqual([
      { kind: 'forget', repository: 'main', pointId: one },
      { kind: 'forget', repository: 'main', pointId: other },
    ]);
    expect(await at({}, 'point', 'forget', one, '--even-last')).toMatchObject({ exit: 2 });
  });

  it('space is given back as the maintenance of the server does it', async () => {
    const sum = (packs: number) => ({ packs, bytes: packs * 1024 });
    const none = { deleted: sum(0), repacked: sum(0), rewritten: sum(0), rescued: sum(0), waiting: sum(0), locked: { ...sum(0), keys: [] } };
    const report = {
      kind: 'gc',
      dryRun: false,
      before: sum(3),
      after: sum(3),
      ...none,
      condemned: sum(2),
      leftovers: { files: 0, bytes: 0 },
      waitingFor: [],
      kept: [],
    };
    const { exit, out, calls } = await at({ getRun: () => run('r-1', 'succeeded', { report }) }, 'repo', 'gc');
    expect({ exit, lines: out.trimEnd().split('\n') }).toEqual({
      exit: 0,
      lines: ['condemned: 2 packs, 2.0 KiB; a run after the grace deletes them', expect.stringMatching(/^gc result=ok packs=3->3 .* condemned=2 /)],
    });
    expect(started(calls)).toEqual([{ kind: 'gc', repository: 'main' }]);
    expect(await at({}, 'repo', 'gc', '--grace', '1h')).toMatchObject({ exit: 2 });
  });

  it('a drill of each VM is a run, and the drills that were made are listed', async () => {
    const report = {
      kind: 'drill',
      vmName: 'web',
      pointId: '20261128t020000-b',
      outcome: 'passed',
      signs: [{ kind: 'running', seen: true }],
      residue: [],
      measures: { rtoMs: 90_000 },
      durationMs: 100_000,
    };
    const done = await at({ getRun: () => run('r-1', 'succeeded', { report }) }, 'drill', 'run', 'web');
    expect(done).toMatchObject({ exit: 0, out: expect.stringMatching(/^drill vm=web result=passed point=20261128t020000-b signs=running /) });
    expect(started(done.calls)).toEqual([{ kind: 'drill', repository: 'main', pointId: '20261128t020000-b' }]);
    const failure = { code: 'REPO_CHUNK_CORRUPT', message: 'the drill of web failed at restore: …' };
    expect(await at({ getRun: () => run('r-1', 'failed', { failure }) }, 'drill', 'run', 'web')).toMatchObject({ exit: 13 });
    expect(await at({}, 'drill', 'run', 'web', '--network', 'lan')).toMatchObject({ exit: 2 });
    const drill = { id: 'd-1', repository: 'main', pointId: 'p', vmId: 6, vmName: 'web', startedAt: NOW, finishedAt: NOW, outcome: 'passed', rtoMs: 90_000 };
    const listed = await at({ listDrills: () => [drill] }, 'drill', 'list', 'web', '--csv', '--list', 'VM,RESULT,RTO');
    expect({ out: listed.out, query: listed.calls.at(-1)?.query }).toEqual({
      out: 'VM,RESULT,RTO\n6,passed,1 min 30 s\n',
      query: expect.objectContaining({ vmId: 6 }),
    });
  });

  it('a set of snapshots is taken of each VM', async () => {
    const report = {
      kind: 'snapshot',
      action: 'create',
      runId: 'w',
      vmId: 6,
      vmName: 'web',
      sets: [{ setId: 's' }],
      disks: [],
      notes: [],
      durationMs: 1,
      residue: [],
    };
    const { exit, calls, out } = await at(
      { getRun: () => run('r', 'succeeded', { report }) },
      'snapshot',
      'create',
      '5..6',
      '--name',
      'before',
      '--max-chain',
      '3',
    );
    expect(exit).toBe(0);
    expect(out.split('\n').filter((line) => line.startsWith('snapshot action=create'))).toHaveLength(2);
    expect(started(calls)).toEqual([5, 6].map((vmId) => ({ kind: 'snapshot-create', vmId, name: 'before', maxChain: 3 })));
  });

  it('a repository is read through, and damage has its exit code', async () => {
    const found = (damaged: number) => ({ getRun: () => run('r-1', 'succeeded', { report: { points: 2, packs: 3, chunks: 4, damaged } }) });
    const { exit, out, calls } = await at(found(0), 'verify', '--mode', 'sample=5%');
    expect({ exit, out }).toEqual({ exit: 0, out: 'verify result=ok repository=main points=2 packs=3 chunks=4 damaged=0\n' });
    expect(started(calls)).toEqual([{ kind: 'verify', repository: 'main', mode: 'sample', percent: 5 }]);
    expect(await at(found(2), 'verify')).toMatchObject({ exit: 13, out: expect.stringContaining('result=damaged') });
  });

  it('policies are listed, and tried on all VMs before the server has them', async () => {
    const document = { select: '*', repository: 'main' };
    const policy = { name: 'nightly', kind: 'backup', enabled: true, document, matches: 2, nextRunAt: NOW };
    const handlers = {
      listPolicies: () => [policy],
      previewPolicy: () => ({
        selected: 1,
        excluded: 1,
        vms: [{ id: 6, name: 'web', verdict: 'selected', by: 'select' }],
        nextRuns: [{ at: NOW, mode: 'auto' }],
      }),
    };
    expect((await at(handlers, 'policy', 'list', '--csv', '--list', 'NAME,MATCHES,ENABLED')).out).toBe('NAME,MATCHES,ENABLED\nnightly,2,yes\n');
    const known = await at(handlers, 'policy', 'preview', 'nightly');
    expect(known.out).toContain('policy-preview selected=1 excluded=1');
    expect(known.calls.at(-1)?.body).toEqual({ ...document, kind: 'backup', name: 'nightly' });
    const file = join(directory, 'policy.yaml');
    await writeFile(file, 'kind: snapshot\nname: hourly\nselect: "*"\n');
    expect((await at(handlers, 'policy', 'preview', '--file', file)).calls.at(-1)?.body).toEqual({ kind: 'snapshot', name: 'hourly', select: '*' });
    expect(await at(handlers, 'policy', 'preview', 'weekly')).toMatchObject({ exit: 2 });
    expect(await at(handlers, 'policy', 'preview')).toMatchObject({ exit: 2 });
    expect(await at(handlers, 'policy', 'preview', '--file', '/nowhere/p.yaml')).toMatchObject({ exit: 2 });
  });

  it('what its doctor finds is said as by the one here, and what dead runs left is listed', async () => {
    const findings = [
      { area: 'cloud', severity: 'ok', code: 'CLOUD_VERSION', what: 'cloud', why: 'answers' },
      { area: 'space', severity: 'error', code: 'SPACE_LOW', what: 'disk', why: 'is full', remedy: 'make room' },
    ];
    const { exit, out } = await at({ doctor: () => findings }, 'doctor');
    expect({ exit, out }).toEqual({
      exit: 3,
      out: expect.stringMatching(/PROBLEM +space +disk: is full \[SPACE_LOW\]\n +do: make room\ndoctor: 1 problem, 0 warnings, 1 ok\n$/),
    });
    const orphan = { kind: 'image', name: 'image ov-1 (id 7)', id: 7, runId: 'w-1', where: 'datastore 1', sizeBytes: 1024 };
    expect(await at({ listOrphans: () => [orphan] }, 'cleanup', '--list')).toMatchObject({ exit: 3, out: expect.stringContaining('image ov-1 (id 7)') });
    expect(await at({ listOrphans: () => [] }, 'cleanup')).toMatchObject({ exit: 0, out: 'nothing of ours is left behind\n' });
    expect(await at({}, 'cleanup', '--apply', '--yes')).toMatchObject({ exit: 2 });
  });

  it('a run that found damage, or that nobody began, has its exit code', async () => {
    const failure = { code: 'SERVER_DAMAGE_FOUND', message: '2 damaged objects' };
    expect(await at({ getRun: () => run('r-1', 'failed', { failure }) }, 'verify')).toMatchObject({ exit: 13 });
    const waitsFor = { code: 'NOT_BEGUN_IN_TIME', text: 'its window is over' };
    const left = await at({ getRun: () => run('r-6', 'skipped', { waitsFor }) }, 'backup', '6', '--json');
    expect(left).toMatchObject({ exit: 1, err: expect.stringContaining('CLI_RUN_SKIPPED') });
  });

  it('a run that was cancelled there is cancelled here', async () => {
    expect(await at({ getRun: () => run('r-6', 'cancelled') }, 'backup', '6')).toMatchObject({
      exit: 130,
      err: expect.stringContaining('was cancelled at the server'),
    });
  });

  it('a repository must be named where there are several', async () => {
    const listRepositories = () => ['main', 'off-site'].map((name) => ({ name, place: '/x', encrypted: false, reachable: true }));
    expect(await at({ listRepositories }, 'backup', '6')).toMatchObject({ exit: 2, err: expect.stringContaining('--repo: main, off-site') });
    expect(started((await at({ listRepositories }, 'backup', '6', '--repo', 'off-site')).calls)).toMatchObject([{ repository: 'off-site' }]);
  });

  it('what the server says is wrong with a request is said field by field', async () => {
    const { exit, err } = await at({ startRun: () => Promise.reject(new Refused(409, 'JOB_VM_BUSY', 'VM 6 is busy')) }, 'backup', '6', '--json');
    expect({ exit, error: JSON.parse(err) }).toMatchObject({ exit: 1, error: { code: 'JOB_VM_BUSY', message: 'VM 6 is busy', hint: 'as the server says' } });
  });
});

function vmOf(id: number): object {
  const protection = { state: 'unprotected', policies: [], reason: 'no-policy' };
  return { id, name: 'web', owner: 'alice', group: 'dev', state: 'RUNNING', labels: [], exists: true, protection, points: 0 };
}
