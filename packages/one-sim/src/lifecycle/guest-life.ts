import { connect, type Socket } from 'node:net';
import { z } from 'zod';
import type { Cloud } from '../cloud.ts';
import { readDisk } from '../disk/disk-file.ts';
import { contextOf, diskOf } from '../model/disk-vector.ts';
import { VM_STATE } from '../model/states.ts';
import type { Vm } from '../model/world-schema.ts';
import { isYes, setText, vectorsOf } from '../template/attributes.ts';
import { monitorVm, pollGuest } from './monitor.ts';
import { DriverFailure } from './operation-handler.ts';

const whole = z.number().int().nonnegative();

/** What a guest does once it has booted. Without a rule a guest shows no sign of life at all. */
export const guestLifeSchema = z.object({
  /** Of VMs whose name begins so; the newest rule that fits is the guest's. */
  namePrefix: z.string().min(1),
  /** It boots only from a disk that holds these bytes there. */
  needs: z.object({ disk: whole, offset: whole, base64: z.base64() }).optional(),
  /** From the start of the domain on. */
  afterMs: z.number().nonnegative().default(0),
  /** Its qemu-guest-agent answers; the host's next poll says so, where hosts ask (`setAgentMonitoring`). */
  agent: z.boolean().default(false),
  /** Tells OneGate READY=YES, where it can reach it. */
  ready: z.boolean().default(false),
  /** What it writes to its serial console. */
  console: z.string().default(''),
  /** It powers itself off then. */
  dies: z.boolean().default(false),
});

export type GuestLife = z.output<typeof guestLifeSchema>;
export type GuestLifeSpec = z.input<typeof guestLifeSchema>;

const RECONNECT_MS = 1000;

/** The guests' own doings, which no call of OpenNebula brings about. In memory: a simulator that is started anew has silent guests. */
export class GuestLives {
  readonly #rules: GuestLife[] = [];

  expect(rule: GuestLife): void {
    this.#rules.unshift(rule);
  }

  /** A domain starts. Throws DriverFailure where qemu would not start: a console that must connect and cannot. */
  async begin(cloud: Cloud, vm: Vm): Promise<void> {
    const consoles = await Promise.all(consolesOf(vm).map((place) => openConsole(cloud, vm, place)));
    const rule = this.#rules.find(({ namePrefix }) => vm.name.startsWith(namePrefix));
    void live(cloud, vm, rule, consoles).catch(() => undefined); // the simulator stops, or the VM is gone with its disks
  }
}

async function live(cloud: Cloud, vm: Vm, rule: GuestLife | undefined, consoles: readonly Console[]): Promise<void> {
  const { stopping: signal } = cloud.engine;
  if (rule !== undefined) await cloud.clock.sleep(rule.afterMs, { signal });
  if (rule !== undefined && isUp(cloud, vm) && (await boots(cloud, vm, rule))) {
    for (const { write } of consoles) await write(rule.console);
    if (rule.agent) vm.guestAgent = 'works';
    if (rule.ready && reachesOneGate(vm)) setText(vm.userTemplate, 'READY', 'YES');
    pollGuest(cloud, vm);
    await cloud.store.commit();
    if (rule.dies) await monitorVm(cloud, vm, 'POWEROFF');
  }
  while (isUp(cloud, vm) && consoles.length > 0) await cloud.clock.sleep(RECONNECT_MS, { signal });
  for (const { close } of consoles) close();
}

function isUp(cloud: Cloud, vm: Vm): boolean {
  return cloud.world.vms.get(vm.id) === vm && vm.state === VM_STATE.ACTIVE;
}

async function boots(cloud: Cloud, vm: Vm, { needs }: GuestLife): Promise<boolean> {
  if (needs === undefined) return true;
  const disk = diskOf(vm, needs.disk);
  if (disk === undefined) return false;
  const wanted = Buffer.from(needs.base64, 'base64');
  return Buffer.from(await readDisk(cloud.layout.disk(cloud.world, vm, disk), needs.offset, wanted.length)).equals(wanted);
}

/** It needs a card, and the token that TOKEN=YES puts on the context disk (src/onegate). */
function reachesOneGate(vm: Vm): boolean {
  return isYes(contextOf(vm)?.['TOKEN']) && vectorsOf(vm.template, 'NIC').length > 0;
}

interface Place {
  readonly host: string;
  readonly port: number;
  readonly reconnects: boolean;
}

/** `<serial type="tcp">` with a source of mode connect, in any RAW of TYPE kvm (LibVirtDriverKVM.cc writes each into the domain). */
function consolesOf(vm: Vm): Place[] {
  const data = vectorsOf(vm.template, 'RAW').flatMap((raw) => (raw['TYPE']?.toLowerCase() === 'kvm' ? [raw['DATA'] ?? ''] : []));
  return data.flatMap((xml) =>
    [...xml.matchAll(/<serial type=['"]tcp['"]>(.*?)<\/serial>/gs)].flatMap(([, inner = '']) => {
      const value = (name: string): string | undefined => new RegExp(`${name}=['"]([^'"]*)['"]`).exec(inner)?.[1];
      const [host, service] = [value('host'), value('service')];
      if (value('mode') !== 'connect' || host === undefined || service === undefined) return [];
      return [{ host, port: Number(service), reconnects: /<reconnect[^>]*enabled=['"]yes['"]/.test(inner) }];
    }),
  );
}

interface Console {
  readonly write: (text: string) => Promise<void>;
  readonly close: () => void;
}

async function openConsole(cloud: Cloud, vm: Vm, place: Place): Promise<Console> {
  let socket = await dial(place);
  if (socket === undefined && !place.reconnects) throw new DriverFailure(`Failed to connect to '${place.host}:${place.port}': Connection refused`);
  return {
    async write(text) {
      while (socket === undefined && isUp(cloud, vm)) {
        await cloud.clock.sleep(RECONNECT_MS, { signal: cloud.engine.stopping });
        socket = await dial(place);
      }
      socket?.write(text);
    },
    close: () => socket?.destroy(),
  };
}

function dial({ host, port }: Place): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.unref();
    socket.once('connect', () => resolve(socket));
    socket.on('error', () => resolve(undefined));
  });
}
