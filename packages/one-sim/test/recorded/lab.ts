import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAnswer, postXml, type RawAnswer, startTestSimulator, type TestSimulator } from '../../testing/index.ts';
import { type Depth, SCALE } from './body-lines.ts';
import type { RecordedVersion, Recording } from './recording.ts';

/** The laboratory the recordings were made in, rebuilt: the same ids, so that the very requests can be sent again. */
export interface Lab extends AsyncDisposable {
  readonly one: TestSimulator;
  /** A raw file of that size, for an image to be registered from. */
  file(sizeMiB: number): Promise<string>;
  /** Sends the recorded request as it is, with this simulator's session. */
  replay(recording: Recording): Promise<RawAnswer>;
  /** A call that was not recorded; waits until nothing is under way. */
  settled(method: string, ...params: (string | number | boolean)[]): Promise<number>;
}

/** What stands between a recording and its comparison. */
export interface Rebuilt {
  /** Calls that were made before it without being recorded. */
  readonly before?: (lab: Lab) => Promise<void>;
  /** What it starts goes on while the next requests are made. */
  readonly goesOn?: boolean;
  readonly depth?: Depth;
  /** Ends of paths whose values cannot be repeated, with the reason. */
  readonly leftOut?: Readonly<Record<string, string>>;
  /** Objects of a pool that are not compared, by ID, with the reason. */
  readonly without?: Readonly<Record<string, string>>;
}

/** By number: how a recording's state is rebuilt (all in order, one after another), or why it cannot be. */
export type Table = Readonly<Record<string, Rebuilt | { readonly cannot: string }>>;

/** The operating system's disk of 3072 MiB, scaled. */
export const OS_DISK_MIB = 3072 / SCALE;

/** A simulator in whose state file the infrastructure is that of the laboratory. */
export async function openLab(version: RecordedVersion, host: { readonly id: number; readonly cgroups: string }): Promise<Lab> {
  const dir = await mkdtemp(join(tmpdir(), 'onevault-recorded-'));
  const first = await startTestSimulator({ dir, version, proxy: false });
  await first.sim.stop();
  await rebuildInfrastructure(join(dir, 'state.json'), host);
  const one = await startTestSimulator({ dir });
  return {
    one,
    async file(sizeMiB) {
      const path = join(dir, `${sizeMiB}.raw`);
      await writeFile(path, '');
      await truncate(path, sizeMiB * 2 ** 20);
      return path;
    },
    replay: async (recording) =>
      parseAnswer(await postXml(one.sim.endpoint, recording.request.replace('oneadmin:SECRET', `${one.sim.user}:${one.sim.password}`))),
    async settled(method, ...params) {
      const answer = await one.must(method, ...params);
      await one.sim.control.idle();
      return Number(answer);
    },
    async [Symbol.asyncDispose]() {
      await one.sim.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

const LAB_DATASTORES = [0, 1, 2, 100, 101];

/** One small KVM host, and the datastores that were there, under their names. */
async function rebuildInfrastructure(path: string, host: { readonly id: number; readonly cgroups: string }): Promise<void> {
  const state = JSON.parse(await readFile(path, 'utf8'));
  const [kvm] = state.hosts;
  Object.assign(kvm, { id: host.id, name: 'localhost', maxCpu: 200, maxMemoryKiB: 24_684_084 });
  kvm.template.CGROUPS_VERSION = [host.cgroups];
  state.hosts = [kvm];
  state.datastores = state.datastores.filter(
    (datastore: { id: number }) => LAB_DATASTORES.includes(datastore.id) && (state.version !== '7.0.2' || datastore.id < 100),
  );
  for (const datastore of state.datastores) datastore.name = LAB_NAMES[datastore.id] ?? datastore.name;
  state.networks = [];
  await writeFile(path, JSON.stringify(state));
}

const LAB_NAMES: Readonly<Record<number, string>> = { 100: 'imgq', 101: 'sysq' };

/** The laboratory's VMs booted a kernel of their own. */
export const RAW = 'RAW=[DATA="<qemu:commandline/>",TYPE="kvm",VALIDATE="no"]\n';
export const GUEST = 'FEATURES=[ACPI="yes",GUEST_AGENT="no"]\nGRAPHICS=[LISTEN="127.0.0.1",TYPE="VNC"]\n';
export const context = (name: string): string => `CONTEXT=[NETWORK="NO",SET_HOSTNAME="${name}",TOKEN="NO"]\n`;
