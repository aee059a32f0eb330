import type { World } from '../model/world.ts';
import type { HistoryRecord, Vm } from '../model/world-schema.ts';
import { type Attributes, textOf, type Vector, vectorsOf } from '../template/attributes.ts';
import { attributeElements, cdata, element, vectorFields } from './element.ts';
import { identity, lock, permissions } from './ownership.ts';
import { snapshotsBody } from './snapshots-body.ts';

/** The full body: one.vm.info and one.vmpool.infoextended (VirtualMachine::to_xml_extended). */
export function vmBody(world: World, vm: Vm, historyRecords: 'all' | 'last' = 'all'): string {
  const history = historyRecords === 'all' ? vm.history : vm.history.slice(-1);
  return element(
    'VM',
    identity(world, vm) +
      permissions(vm) +
      element('LAST_POLL', 0) +
      element('STATE', vm.state) +
      element('LCM_STATE', vm.lcmState) +
      element('PREV_STATE', vm.prevState) +
      element('PREV_LCM_STATE', vm.prevLcmState) +
      element('RESCHED', 0) +
      element('STIME', vm.stime) +
      element('ETIME', vm.etime) +
      element('DEPLOY_ID', vm.deployId) +
      lock(vm) +
      element('MONITORING', monitoringFields(vm)) +
      element('SCHED_ACTIONS', '') +
      element('TEMPLATE', attributeElements(vm.template)) +
      element('USER_TEMPLATE', attributeElements(vm.userTemplate)) +
      (history.length === 0 ? '<HISTORY_RECORDS/>' : element('HISTORY_RECORDS', history.map((record) => historyBody(world, vm.id, record)).join(''))) +
      vm.snapshots.map(snapshotsBody).join('') +
      backups(vm),
  );
}

/** The values of the last poll, or nothing. */
export function monitoringFields(vm: Vm): string {
  return vm.monitoring === undefined ? '' : vectorFields(vm.monitoring);
}

function backups(vm: Vm): string {
  const config = vectorFields(vm.backupConfig);
  return element(
    'BACKUPS',
    (config === '' ? '<BACKUP_CONFIG/>' : element('BACKUP_CONFIG', config)) +
      element('BACKUP_IDS', (vm.backupIds ?? []).map((id) => element('ID', id)).join('')),
  );
}

/** History::to_db_xml: the plan of the built-in scheduler came with 7.0; 7.4 was seen to print its empty values. */
function planFields(world: World): string {
  if (!world.atLeast(7, 0)) return '';
  const [plan, action] = world.atLeast(7, 2) ? [-2, -1] : [-1, 0];
  return element('PLAN_ID', plan) + element('ACTION_ID', action);
}

function historyBody(world: World, vmId: number, record: HistoryRecord): string {
  return element(
    'HISTORY',
    element('OID', vmId) +
      element('SEQ', record.seq) +
      element('HOSTNAME', record.hostName) +
      element('HID', record.hostId) +
      element('CID', record.clusterId) +
      element('STIME', record.stime) +
      element('ETIME', record.etime) +
      cdata('VM_MAD', record.vmMad) +
      cdata('TM_MAD', record.tmMad) +
      element('DS_ID', record.datastoreId) +
      planFields(world) +
      element('PSTIME', record.pstime) +
      element('PETIME', record.petime) +
      element('RSTIME', record.rstime) +
      element('RETIME', record.retime) +
      element('ESTIME', record.estime) +
      element('EETIME', record.eetime) +
      element('ACTION', record.action) +
      element('UID', record.uid) +
      element('GID', record.gid) +
      element('REQUEST_ID', record.requestId),
  );
}

const SHORT_DISK_FIELDS = [
  'DISK_ID',
  'DATASTORE',
  'DATASTORE_ID',
  'IMAGE',
  'IMAGE_ID',
  'SIZE',
  'TYPE',
  'CLONE',
  'CLONE_TARGET',
  'LN_TARGET',
  'DISK_SNAPSHOT_TOTAL_SIZE',
];
const SHORT_NIC_FIELDS = ['IP', 'MAC', 'IP6', 'NETWORK', 'NETWORK_ID', 'NIC_ID', 'SECURITY_GROUPS'];
const SHORT_GRAPHICS_FIELDS = ['LISTEN', 'PASSWD', 'PORT', 'TYPE'];

/** The short body of one.vmpool.info: no SNAPSHOTS, no CONTEXT, no PERMISSIONS, a few fields of each disk (printed even when empty). */
export function vmShortBody(world: World, vm: Vm): string {
  const last = vm.history.at(-1);
  return element(
    'VM',
    identity(world, vm) +
      element('LAST_POLL', 0) +
      element('STATE', vm.state) +
      element('LCM_STATE', vm.lcmState) +
      element('RESCHED', 0) +
      element('STIME', vm.stime) +
      element('ETIME', vm.etime) +
      element('DEPLOY_ID', vm.deployId) +
      element('TEMPLATE', shortTemplate(vm.template)) +
      '<MONITORING/>' +
      shortUserTemplate(vm.userTemplate) +
      (last ? element('HISTORY_RECORDS', shortHistory(vm.id, last)) : '<HISTORY_RECORDS/>'),
  );
}

function shortTemplate(template: Attributes): string {
  const scalar = (name: string): string => element(name, textOf(template, name) ?? '0');
  const fields = (vector: Vector, names: readonly string[]): string => names.map((name) => cdata(name, vector[name] ?? '')).join('');
  const present = (vector: Vector, names: readonly string[]): string =>
    fields(
      vector,
      names.filter((name) => name in vector),
    );
  return (
    scalar('CPU') +
    scalar('MEMORY') +
    (textOf(template, 'VCPU') === undefined ? '' : scalar('VCPU')) +
    vectorsOf(template, 'DISK')
      .map((disk) => element('DISK', fields(disk, SHORT_DISK_FIELDS)))
      .join('') +
    vectorsOf(template, 'NIC')
      .map((nic) => element('NIC', present(nic, SHORT_NIC_FIELDS)))
      .join('') +
    vectorsOf(template, 'GRAPHICS')
      .map((graphics) => element('GRAPHICS', present(graphics, SHORT_GRAPHICS_FIELDS)))
      .join('')
  );
}

function shortUserTemplate(userTemplate: Attributes): string {
  const kept = Object.entries(userTemplate).filter(([name]) => name === 'LABELS' || name === 'ERROR' || name.startsWith('SCHED_'));
  return kept.length === 0 ? '<USER_TEMPLATE/>' : element('USER_TEMPLATE', attributeElements(Object.fromEntries(kept)));
}

function shortHistory(vmId: number, record: HistoryRecord): string {
  return element(
    'HISTORY',
    element('OID', vmId) +
      element('SEQ', record.seq) +
      cdata('HOSTNAME', record.hostName) +
      element('HID', record.hostId) +
      element('CID', record.clusterId) +
      element('DS_ID', record.datastoreId) +
      cdata('VM_MAD', record.vmMad) +
      cdata('TM_MAD', record.tmMad) +
      cdata('ACTION', String(record.action)),
  );
}
