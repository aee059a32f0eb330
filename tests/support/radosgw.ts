import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { Scope, Secret } from '@onevault/base';
import { type Requirement, requiresCommand } from './requires.ts';

const run = promisify(execFile);
const INSTALL = 'apt-get install --no-install-recommends ceph-mon ceph-osd ceph-common radosgw';
const ACCOUNT = { accessKeyId: 'TESTACCESSKEY', secretAccessKey: 'TESTSECRETKEY' };
const START_TIMEOUT_MS = 90_000;

export const radosgwRequirements: readonly Requirement[] = [
  requiresCommand('ceph-mon', INSTALL),
  requiresCommand('ceph-osd', INSTALL),
  requiresCommand('radosgw', INSTALL),
  requiresCommand('radosgw-admin', INSTALL),
];

/** A Ceph RADOS Gateway on loopback with one monitor and one object store in memory: a real S3 server, up in about 15 seconds. */
export interface Radosgw extends AsyncDisposable {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: Secret;
  readonly client: S3Client;
  makeBucket(name: string, kind?: { readonly objectLock?: boolean }): Promise<void>;
  /** Ends the gateway as a crash would; what it stored stays. */
  kill(): Promise<void>;
  start(): Promise<void>;
}

export async function startRadosgw(): Promise<Radosgw> {
  await using scope = new Scope();
  const dir = await mkdtemp(join(tmpdir(), 'onevault-radosgw-'));
  scope.defer(() => rm(dir, { recursive: true, force: true }));
  const cluster = await makeCluster(dir);
  scope.use(await cluster.daemon('mon', 'ceph-mon', ['-i', 'a', '-f']));
  await cluster.tool('ceph-osd', ['-i', '0', '--mkfs', '--osd-uuid', cluster.id]);
  await cluster.insist('ceph', ['osd', 'new', cluster.id]);
  await cluster.insist('ceph', ['osd', 'crush', 'add', 'osd.0', '1', 'root=default']);
  scope.use(await cluster.daemon('osd', 'ceph-osd', ['-i', '0', '-f']));
  const startGateway = async (): Promise<AsyncDisposable> => {
    const gateway = await cluster.daemon('rgw', 'radosgw', ['-n', 'client.admin', '-f']);
    await answers(cluster.endpoint);
    return gateway;
  };
  let gateway: AsyncDisposable | undefined = await startGateway();
  const stopGateway = async (): Promise<void> => {
    await gateway?.[Symbol.asyncDispose]();
    gateway = undefined;
  };
  scope.defer(stopGateway);
  const { accessKeyId, secretAccessKey } = ACCOUNT;
  await cluster.tool('radosgw-admin', [
    'user',
    'create',
    '--uid=test',
    '--display-name=test',
    `--access-key=${accessKeyId}`,
    `--secret-key=${secretAccessKey}`,
  ]);
  const client = new S3Client({ region: 'us-east-1', endpoint: cluster.endpoint, forcePathStyle: true, credentials: ACCOUNT });
  scope.defer(() => client.destroy());
  const owned = scope.move();
  return {
    endpoint: cluster.endpoint,
    accessKeyId,
    secretAccessKey: new Secret(secretAccessKey),
    client,
    makeBucket: async (name, kind = {}) => {
      await client.send(new CreateBucketCommand({ Bucket: name, ObjectLockEnabledForBucket: kind.objectLock ?? false }));
    },
    kill: stopGateway,
    start: async () => {
      gateway = await startGateway();
    },
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

interface Cluster {
  readonly id: string;
  readonly endpoint: string;
  tool(command: string, args: readonly string[]): Promise<void>;
  /** Until it works: a monitor that has just started does not answer yet. */
  insist(command: string, args: readonly string[]): Promise<void>;
  /** Ended with SIGKILL: nothing in it is worth a farewell. */
  daemon(name: string, command: string, args: readonly string[]): Promise<AsyncDisposable>;
}

async function makeCluster(dir: string): Promise<Cluster> {
  const [port = 0, v2 = 0, v1 = 0] = await freePorts(3);
  for (const name of ['mon', 'osd', 'rgw', 'log', 'tmp']) await mkdir(join(dir, name));
  const id = randomUUID();
  const monitor = `[v2:127.0.0.1:${v2},v1:127.0.0.1:${v1}]`;
  const conf = join(dir, 'ceph.conf');
  await writeFile(conf, configuration({ dir, id, monitor, port }));
  const env = { ...process.env, CEPH_CONF: conf };
  const tool: Cluster['tool'] = async (command, args) => void (await run(command, [...args], { env, timeout: 30_000 }));
  const keyring = join(dir, 'keyring');
  const grant = (name: string, caps: readonly string[]): Promise<void> =>
    tool('ceph-authtool', [keyring, '--gen-key', '-n', name, ...caps.flatMap((cap) => ['--cap', ...cap.split('=')])]);
  await tool('ceph-authtool', ['--create-keyring', keyring, '--gen-key', '-n', 'mon.', '--cap', 'mon', 'allow *']);
  await grant('client.admin', ['mon=allow *', 'osd=allow *', 'mgr=allow *', 'mds=allow *']);
  await grant('osd.0', ['mon=allow profile osd', 'osd=allow *', 'mgr=allow profile osd']);
  await tool('monmaptool', ['--create', '--fsid', id, '--addv', 'a', monitor, join(dir, 'monmap')]);
  await tool('ceph-mon', ['-i', 'a', '--mkfs', '--monmap', join(dir, 'monmap'), '--keyring', keyring]);
  return {
    id,
    endpoint: `http://127.0.0.1:${port}`,
    tool,
    insist: (command, args) => until(`${command} ${args.join(' ')}`, () => run(command, [...args], { env, timeout: 10_000 })),
    daemon: async (name, command, args) => {
      const log = await open(join(dir, 'log', `${name}.out`), 'a');
      const child = spawn(command, [...args], { env, stdio: ['ignore', log.fd, log.fd] });
      await log.close();
      return { [Symbol.asyncDispose]: () => killed(child) };
    },
  };
}

/** No manager, no authentication worth the name, nothing on a disk. */
function configuration({ dir, id, monitor, port }: { readonly dir: string; readonly id: string; readonly monitor: string; readonly port: number }): string {
  return `[global]
fsid=${id}
mon host=${monitor}
public addr=127.0.0.1
cluster addr=127.0.0.1
keyring=${dir}/keyring
run dir=${dir}/tmp
admin socket=${dir}/tmp/$name.asok
log file=${dir}/log/$name.log
mon cluster log file=${dir}/log/cluster.log
crash dir=${dir}/tmp
osd pool default size=1
osd pool default min size=1
mon allow pool size one=true
osd pool default pg num=4
osd pool default pgp num=4
osd pool default pg autoscale mode=off
osd crush chooseleaf type=0
mon max pg per osd=1000
mon warn on pool no redundancy=false
auth allow insecure global id reclaim=false
[mon.a]
mon data=${dir}/mon
[osd.0]
osd data=${dir}/osd
osd objectstore=memstore
memstore device bytes=4294967296
[client.admin]
# Without it what is read waits 40 ms for the acknowledgement of the headers, each time (docs/operate/s3.md).
rgw frontends=beast endpoint=127.0.0.1:${port} tcp_nodelay=1
rgw data=${dir}/rgw
rgw crypt require ssl=false
`;
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

async function answers(endpoint: string): Promise<void> {
  await until(`${endpoint} answers`, () => fetch(endpoint, { signal: AbortSignal.timeout(5_000) }));
}

async function until(what: string, attempt: () => Promise<unknown>): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (performance.now() > deadline) throw new Error(`radosgw did not start: ${what}`, { cause: error });
      await delay(250);
    }
  }
}

/** Free a moment ago; nobody else here takes ports that fast. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  const ports = await Promise.all(
    servers.map(async (server) => {
      if (!server.listening) await once(server, 'listening');
      const address = server.address();
      return typeof address === 'object' && address !== null ? address.port : 0;
    }),
  );
  for (const server of servers) server.close();
  return ports;
}
