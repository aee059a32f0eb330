import type { AddressInfo, Server as NetServer } from 'node:net';
import { isAbsolute, resolve } from 'node:path';
import { type Clock, Scope, systemClock } from '@onevault/base';
import { Cloud } from './cloud.ts';
import type { SimControl } from './control/control.ts';
import { createControl } from './control/control-client.ts';
import { localInvoke } from './control/control-operations.ts';
import { controlRoutes } from './control/control-routes.ts';
import { lockDirectory } from './dir-lock.ts';
import { SimError } from './errors.ts';
import { bootGuest } from './lifecycle/deploy.ts';
import { type OperationTimes, Pace } from './lifecycle/pace.ts';
import { LCM_STATE, VM_STATE } from './model/states.ts';
import { World } from './model/world.ts';
import type { Vm } from './model/world-schema.ts';
import { loadWorld, WorldStore } from './model/world-store.ts';
import { SEED_USERS, seedWorld } from './seed.ts';
import { limitConnections } from './wire/connection-limit.ts';
import { type ConnectionRules, createXmlRpcServer, ONED_CONNECTION_RULES } from './wire/http-server.ts';

export interface SimulatorOptions {
  /** State directory: made and seeded when empty, otherwise taken up where it was left. */
  readonly dir: string;
  /** 0, the default: any free one. Bound to 127.0.0.1. */
  readonly port?: number;
  /** Version it claims and behaves like; kept with the state. */
  readonly version?: string;
  readonly times?: Partial<OperationTimes>;
  readonly clock?: Clock;
  readonly connections?: Partial<ConnectionRules>;
  /** fsync the state at every change; default true. Without it a kill of the process is still survived, a power cut is not. */
  readonly durable?: boolean;
  /** The proxy VM `onevault-proxy`; default true. */
  readonly proxy?: boolean;
}

/** A running OpenNebula simulator. */
export interface Simulator extends AsyncDisposable {
  /** `http://127.0.0.1:<port>/RPC2` */
  readonly endpoint: URL;
  readonly user: string;
  readonly password: string;
  readonly dir: string;
  readonly control: SimControl;
  /** Stops serving; operations under way stay recorded and go on at the next start. */
  stop(): Promise<void>;
}

const PROXY_NAME = 'onevault-proxy';

/** Starts a simulator. Throws SimError when the directory or the port cannot be used. */
export async function startSimulator(options: SimulatorOptions): Promise<Simulator> {
  await using scope = new Scope();
  const dir = isAbsolute(options.dir) ? options.dir : resolve(options.dir);
  scope.use(await lockDirectory(dir));
  const saved = await loadWorld(dir);
  const world = saved ?? new World(seedWorld(options.version ?? '7.0.2', dir));
  const clock = options.clock ?? systemClock;
  const pace = new Pace(clock, options.times ?? {});
  const cloud = new Cloud({ world, store: new WorldStore(dir, world, { sync: options.durable ?? true }), dir, clock, pace });
  await cloud.store.commit();
  await restoreGuests(cloud);
  cloud.engine.resume();
  scope.defer(() => cloud.engine.stop());
  const control = createControl(localInvoke(cloud));
  if (!saved && options.proxy !== false) await seedDemoWorld(control);
  const rules = { ...ONED_CONNECTION_RULES, ...options.connections };
  const http = createXmlRpcServer(cloud, rules, controlRoutes(cloud));
  const front = limitConnections(http, rules.maxConnections);
  const port = await listen(front.listener, options.port ?? 0);
  scope.defer(() => front.close());
  const owned = scope.move();
  return {
    endpoint: new URL(`http://127.0.0.1:${port}/RPC2`),
    user: SEED_USERS.admin.name,
    password: SEED_USERS.admin.password,
    dir,
    control,
    stop: () => owned[Symbol.asyncDispose](),
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

/** What a fresh directory gets besides the infrastructure: the proxy VM, RUNNING. */
export async function seedDemoWorld(control: SimControl): Promise<void> {
  await control.createVm({ name: PROXY_NAME, disks: [{ sizeMiB: 16 }], memoryMiB: 2048, proxy: true });
}

const RUNNING_LCM: readonly number[] = [
  LCM_STATE.RUNNING,
  LCM_STATE.HOTPLUG,
  LCM_STATE.HOTPLUG_SAVEAS,
  LCM_STATE.DISK_SNAPSHOT,
  LCM_STATE.DISK_SNAPSHOT_DELETE,
  LCM_STATE.DISK_RESIZE,
  LCM_STATE.HOTPLUG_RESIZE,
  LCM_STATE.MIGRATE,
  LCM_STATE.UNKNOWN,
];

/** The guests' directories are not state: they are laid out anew from it. */
async function restoreGuests(cloud: Cloud): Promise<void> {
  const isRunning = (vm: Vm): boolean => vm.state === VM_STATE.ACTIVE && RUNNING_LCM.includes(vm.lcmState);
  for (const vm of cloud.world.vms.values()) {
    if (!vm.guestTree) continue;
    if (isRunning(vm)) await bootGuest(cloud, vm);
    else await cloud.guest(vm)?.shutDown();
  }
}

function listen(server: NetServer, port: number): Promise<number> {
  return new Promise((resolveWith, reject) => {
    server.once('error', (cause) =>
      reject(
        new SimError({
          code: 'SIM_PORT_UNAVAILABLE',
          message: `the simulator cannot listen on port ${port}`,
          cause,
          hint: 'choose another port, or 0 for any',
        }),
      ),
    );
    server.listen(port, '127.0.0.1', () => resolveWith(portOf(server.address())));
  });
}

function portOf(address: AddressInfo | string | null): number {
  return typeof address === 'object' && address ? address.port : 0;
}
