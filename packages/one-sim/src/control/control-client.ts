import { request } from 'node:http';
import type { z } from 'zod';
import { SimError } from '../errors.ts';
import type { SimControl } from './control.ts';
import { ALL_STEPS, type ControlName, controlSchemas } from './control-schemas.ts';

/** Carries one control operation out, here or at the other end of a connection. */
export type Invoke = (name: ControlName, input: unknown) => Promise<unknown>;

/** The typed surface over any way of invoking. */
export function createControl(invoke: Invoke): SimControl {
  const call = async <I extends z.ZodType, O extends z.ZodType>(
    name: ControlName,
    schemas: { readonly input: I; readonly output: O },
    input: z.input<I>,
  ): Promise<z.output<O>> => schemas.output.parse(await invoke(name, input));
  const tell = async <I extends z.ZodType>(name: ControlName, schemas: { readonly input: I; readonly output: z.ZodType }, input: z.input<I>): Promise<void> => {
    await call(name, schemas, input);
  };
  return {
    write: (vm, disk, offset, bytes) => tell('write', controlSchemas.write, { vm, disk, offset, base64: Buffer.from(bytes).toString('base64') }),
    writeRandom: (vm, disk, pattern) => call('writeRandom', controlSchemas.writeRandom, { vm, disk, ...pattern }),
    read: async (vm, disk, offset, length) => Buffer.from(await call('read', controlSchemas.read, { vm, disk, offset, length }), 'base64'),
    checksum: (vm, disk) => call('checksum', controlSchemas.checksum, { vm, disk }),
    diskPath: (vm, disk) => call('diskPath', controlSchemas.diskPath, { vm, disk }),
    imagePath: (image) => call('imagePath', controlSchemas.imagePath, { image }),
    inject: (rule) => tell('inject', controlSchemas.inject, rule),
    clearFaults: () => tell('clearFaults', controlSchemas.clearFaults, {}),
    setTimes: (times) => tell('setTimes', controlSchemas.setTimes, times),
    hold: (steps) => tell('hold', controlSchemas.hold, { steps: [...(steps ?? ALL_STEPS)] }),
    step: (count = 1) => call('step', controlSchemas.step, { count }),
    release: () => tell('release', controlSchemas.release, {}),
    idle: () => tell('idle', controlSchemas.idle, {}),
    vanishDevice: (vm, disk) => tell('vanishDevice', controlSchemas.vanishDevice, { vm, disk }),
    shrinkDevice: (vm, disk, sizeBytes) => tell('shrinkDevice', controlSchemas.shrinkDevice, { vm, disk, sizeBytes }),
    useDevice: (vm, disk, use) => tell('useDevice', controlSchemas.useDevice, { vm, disk, ...use }),
    letGoDevice: (vm, disk) => tell('letGoDevice', controlSchemas.letGoDevice, { vm, disk }),
    setDatastoreFree: (datastore, freeMiB, options = {}) => tell('setDatastoreFree', controlSchemas.setDatastoreFree, { datastore, freeMiB, ...options }),
    setHostCapacity: (host, { pciDevices, ...capacity }) =>
      tell('setHostCapacity', controlSchemas.setHostCapacity, { host, ...capacity, ...(pciDevices && { pciDevices: [...pciDevices] }) }),
    setGuestAgent: (vm, agent) => tell('setGuestAgent', controlSchemas.setGuestAgent, { vm, agent }),
    setAgentMonitoring: (enabled) => tell('setAgentMonitoring', controlSchemas.setAgentMonitoring, { enabled }),
    expectGuest: (life) => tell('expectGuest', controlSchemas.expectGuest, life),
    monitored: (vm, found) => tell('monitored', controlSchemas.monitored, { vm, found }),
    history: (vm) => call('history', controlSchemas.history, { vm }),
    state: () => call('state', controlSchemas.state, {}),
    leftovers: (prefix) => call('leftovers', controlSchemas.leftovers, { prefix }),
    createVm: (spec) => call('createVm', controlSchemas.createVm, spec),
    createUser: (spec) => call('createUser', controlSchemas.createUser, spec),
    grant: (user, rule) => call('grant', controlSchemas.grant, { user, rule }),
    populate: (spec) => call('populate', controlSchemas.populate, spec),
    unexpectedErrors: () => call('unexpectedErrors', controlSchemas.unexpectedErrors, {}),
  };
}

/** The control surface of a simulator in another process; `endpoint` is its XML-RPC endpoint or base URL. Throws SimError. */
export function connectControl(endpoint: URL | string): SimControl {
  return createControl(async (name, input) => {
    const { status, text } = await post(new URL(`/sim/${name}`, endpoint), JSON.stringify(input));
    if (status === 200) return JSON.parse(text);
    throw new SimError({ code: 'SIM_CONTROL_REFUSED', message: `the simulator refused ${name}: ${text}`, details: { status } });
  });
}

function post(url: URL, body: string): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error): void =>
      reject(
        new SimError({
          code: 'SIM_CONTROL_UNREACHABLE',
          message: `no simulator answers at ${url.origin}`,
          cause,
          retryable: true,
          hint: 'start one with `onevault sim`',
        }),
      );
    const sent = request(url, { method: 'POST', headers: { 'content-type': 'application/json', connection: 'close' }, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', fail);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }));
    });
    sent.on('error', fail);
    sent.end(body);
  });
}
