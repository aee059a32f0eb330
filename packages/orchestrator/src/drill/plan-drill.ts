import type { RestorePoint } from '@onevault/backup-format';
import { type CallOptions, errorCode } from '@onevault/base';
import { type Attributes, isCloudAdmin, type Vm, vmStateName } from '@onevault/one-client';
import { text, vectors } from '../attributes.ts';
import { JobError } from '../errors.ts';
import type { RestoreRequest } from '../request.ts';
import type { RestoreNote } from '../restore-plan.ts';
import { readSavedVm } from '../saved-vm.ts';
import type { DrillDeps, DrillRequest, SignOfLife } from './drill-model.ts';
import { hasOwnSerial, rawMayConnect } from './serial-device.ts';
import { agentsAreNotAsked } from './vm-signs.ts';

/** Why a drill would prove nothing, or more than it should. */
export type DrillRefusalCode =
  | 'SIGN_NONE'
  | 'SIGN_NEEDS_NETWORK'
  | 'SIGN_NEEDS_TOKEN'
  | 'SIGN_NEEDS_AGENT'
  | 'SIGN_AGENTS_NOT_ASKED'
  | 'SIGN_NEEDS_ONEADMIN'
  | 'SIGN_SERIAL_TAKEN'
  | 'SIGN_NEEDS_PORT'
  | 'SIGN_PATTERN_INVALID'
  | 'NETWORK_UNKNOWN'
  | 'NOT_ISOLATED';

export interface DrillRefusal {
  readonly code: DrillRefusalCode;
  readonly text: string;
  readonly remedy: string;
}

export interface DrillPlan {
  readonly point: RestorePoint;
  readonly saved: Vm;
  readonly notes: readonly RestoreNote[];
}

/** Settles before anything is made whether the signs can be shown at all: a drill that cannot end well costs a whole restore. Throws JOB_DRILL_REFUSED. */
export async function planDrill(deps: DrillDeps, request: DrillRequest, options: CallOptions): Promise<DrillPlan> {
  const point = await deps.repository.point(request.pointId, options);
  const { vm: saved } = await readSavedVm(deps, point, options);
  const refusals = [
    ...(await signRefusals(deps, request, saved, options)),
    ...(await networkRefusals(deps, request, options)),
    ...isolationRefusals(request, saved),
  ];
  if (refusals.length > 0) throw refused(saved, refusals);
  return { point, saved, notes: notesOf(request, saved) };
}

async function signRefusals(deps: DrillDeps, request: DrillRequest, saved: Vm, options: CallOptions): Promise<DrillRefusal[]> {
  if (request.signs.length === 0) return [{ code: 'SIGN_NONE', text: 'nothing is waited for', remedy: 'name a sign of life' }];
  const refusals: DrillRefusal[] = [];
  for (const sign of request.signs) refusals.push(...(await refusalsOf(sign, deps, request, saved, options)));
  return refusals;
}

async function refusalsOf(sign: SignOfLife, deps: DrillDeps, request: DrillRequest, saved: Vm, options: CallOptions): Promise<DrillRefusal[]> {
  switch (sign.kind) {
    case 'running':
      return [];
    case 'probe':
      return deps.probes === undefined ? [noPort('a probe')] : [];
    case 'onegate-ready':
      return oneGateRefusals(request, saved);
    case 'guest-agent':
      return agentRefusals(deps, saved, options);
    case 'console':
      return consoleRefusals(sign.pattern, deps, saved, options);
  }
}

/** The guest speaks with OneGate through a card, with the token that TOKEN=YES puts on its context disk. */
function oneGateRefusals({ network }: DrillRequest, saved: Vm): DrillRefusal[] {
  const refusals: DrillRefusal[] = [];
  if (network === 'none' || vectors(saved.template['NIC']).length === 0)
    refusals.push({
      code: 'SIGN_NEEDS_NETWORK',
      text: 'a guest without a network card cannot report READY to OneGate',
      remedy: 'name an isolated network from which OneGate can be reached, or wait for another sign',
    });
  if (contextOf(saved, 'TOKEN') !== 'YES')
    refusals.push({
      code: 'SIGN_NEEDS_TOKEN',
      text: 'the VM has no TOKEN=YES in its CONTEXT, without which OneGate refuses its guest',
      remedy: 'set TOKEN=YES and REPORT_READY=YES in its CONTEXT and back it up again, or wait for another sign',
    });
  return refusals;
}

async function agentRefusals(deps: DrillDeps, saved: Vm, options: CallOptions): Promise<DrillRefusal[]> {
  if (!saved.guestAgent)
    return [
      {
        code: 'SIGN_NEEDS_AGENT',
        text: 'the VM has no channel for a guest agent (FEATURES/GUEST_AGENT)',
        remedy: 'set GUEST_AGENT=YES in its FEATURES, install qemu-guest-agent and back it up again, or wait for another sign',
      },
    ];
  const original = await originalOf(deps, saved, options);
  if (original === undefined || !agentsAreNotAsked(original)) return [];
  return [
    {
      code: 'SIGN_AGENTS_NOT_ASKED',
      text: 'the hosts do not ask guest agents: MONITORING of the original VM says so',
      remedy: 'set :enabled: true in remotes/etc/im/kvm-probes.d/guestagent.conf and run onehost sync --force, or wait for another sign',
    },
  ];
}

async function originalOf(deps: DrillDeps, saved: Vm, options: CallOptions): Promise<Vm | undefined> {
  try {
    const vm = await deps.cloud.vm(saved.id, options);
    return vmStateName(vm) === 'RUNNING' ? vm : undefined;
  } catch (error) {
    if (errorCode(error) === 'ONE_NO_EXISTS' || errorCode(error) === 'ONE_AUTHORIZATION') return undefined;
    throw error;
  }
}

async function consoleRefusals(pattern: string, deps: DrillDeps, saved: Vm, options: CallOptions): Promise<DrillRefusal[]> {
  const refusals: DrillRefusal[] = [];
  if (deps.consoles === undefined) refusals.push(noPort('a console'));
  if (!isPattern(pattern))
    refusals.push({ code: 'SIGN_PATTERN_INVALID', text: `'${pattern}' is no regular expression`, remedy: 'write one as JavaScript has them' });
  if (hasOwnSerial(saved))
    refusals.push({
      code: 'SIGN_SERIAL_TAKEN',
      text: 'the VM has a serial port of its own in RAW: its guest writes there, not to ours',
      remedy: 'wait for another sign',
    });
  if (!isCloudAdmin(await deps.cloud.whoAmI(options)))
    refusals.push({
      code: 'SIGN_NEEDS_ONEADMIN',
      text: 'a serial port is added through RAW/DATA, which OpenNebula takes from the group oneadmin only',
      remedy: 'act as a user of the group oneadmin, or wait for another sign',
    });
  return refusals;
}

function isPattern(pattern: string): boolean {
  try {
    return new RegExp(pattern) instanceof RegExp;
  } catch {
    return false;
  }
}

function noPort(what: string): DrillRefusal {
  return { code: 'SIGN_NEEDS_PORT', text: `there is nothing here that could serve ${what}`, remedy: 'wait for another sign' };
}

async function networkRefusals({ cloud }: DrillDeps, { network }: DrillRequest, options: CallOptions): Promise<DrillRefusal[]> {
  if (network === 'none' || (await cloud.networks(options)).some(({ id }) => id === network)) return [];
  return [{ code: 'NETWORK_UNKNOWN', text: `there is no network ${network} that we may use`, remedy: 'name an isolated network of this cloud, or none' }];
}

function isolationRefusals({ allowRaw }: DrillRequest, saved: Vm): DrillRefusal[] {
  if (allowRaw === true || !rawMayConnect(saved)) return [];
  return [
    {
      code: 'NOT_ISOLATED',
      text: 'RAW data of the VM names interfaces, host devices or qemu arguments: they connect the copy as they connect the original',
      remedy: 'allow it if that does no harm',
    },
  ];
}

function notesOf(request: DrillRequest, saved: Vm): RestoreNote[] {
  const notes: RestoreNote[] = [];
  if (request.signs.every(({ kind }) => kind === 'running') || (request.need === 'any' && request.signs.some(({ kind }) => kind === 'running')))
    notes.push({ code: 'SIGN_WEAK', message: 'RUNNING says that the domain runs, not that its guest has booted' });
  if (request.signs.some(({ kind }) => kind === 'onegate-ready') && contextOf(saved, 'REPORT_READY') !== 'YES')
    notes.push({ code: 'SIGN_READY_UNASKED', message: 'CONTEXT has no REPORT_READY=YES: the guest reports READY only if something in it does so by itself' });
  if (vectors(saved.template['PCI']).length > 0) notes.push({ code: 'PCI_LEFT_OUT', message: 'PCI devices of the host are not given to the drill' });
  return notes;
}

function contextOf(saved: Vm, name: string): string | undefined {
  return text(vectors(saved.template['CONTEXT'])[0]?.[name])?.toUpperCase();
}

function refused(saved: Vm, refusals: readonly DrillRefusal[]): JobError {
  return new JobError({
    code: 'JOB_DRILL_REFUSED',
    message: `a drill of VM ${saved.id} '${saved.name}' would prove nothing: ${refusals.map((refusal) => refusal.text).join('; ')}`,
    details: { vmId: saved.id, reasons: refusals.map((refusal) => ({ code: refusal.code, text: refusal.text })) },
    hint: refusals.map(({ remedy }) => remedy).join('; '),
  });
}

/** The restore that a drill is: isolated, under a name of its own, with nothing in it that acts on the world by itself. */
export function drillRestore(request: DrillRequest, saved: Vm, name: string, attributes: Attributes): RestoreRequest {
  const { network } = request;
  return {
    pointId: request.pointId,
    name,
    hold: false,
    verify: request.verify,
    // Cards, where there are any, are made anew below: nothing of the saved ones may lead anywhere else.
    nics: 'none',
    attributes: {
      // A saved READY=YES would be a sign of life of the past; scheduled actions and devices of the host are the original's.
      ...('READY' in saved.userTemplate && { READY: 'NO' }),
      SCHED_ACTION: [],
      PCI: [],
      NIC_ALIAS: [],
      ...(network !== 'none' && { NIC: vectors(saved.template['NIC']).map((nic) => cardIn(network, nic)) }),
      ...attributes,
    },
    ...(request.imageDatastore !== undefined && { imageDatastore: request.imageDatastore }),
    ...(request.systemDatastore !== undefined && { systemDatastore: request.systemDatastore }),
    ...(request.parallelDisks !== undefined && { parallelDisks: request.parallelDisks }),
    ...(request.scanWorkers !== undefined && { scanWorkers: request.scanWorkers }),
  };
}

function cardIn(network: number, nic: Attributes): Attributes {
  return { NETWORK_ID: String(network), ...(nic['MODEL'] !== undefined && { MODEL: nic['MODEL'] }) };
}
