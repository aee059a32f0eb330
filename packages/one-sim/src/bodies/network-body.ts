import { leaseAddress, leaseMac } from '../model/network-lease.ts';
import type { World } from '../model/world.ts';
import type { Network, SecurityGroup } from '../model/world-schema.ts';
import { attributeElements, cdata, element, idCollection } from './element.ts';
import { identity, lock, permissions } from './ownership.ts';

/** VirtualNetwork::to_xml_extended; the pool leaves the leases out. */
export function networkBody(world: World, network: Network, options: { readonly leases: boolean }): string {
  const used = Object.keys(network.leases).length;
  return element(
    'VNET',
    identity(world, network) +
      lock(network) +
      permissions(network) +
      idCollection('CLUSTERS', network.clusterIds) +
      cdata('BRIDGE', network.bridge) +
      cdata('BRIDGE_TYPE', 'linux') +
      cdata('STATE', '1') +
      cdata('PREV_STATE', '1') +
      '<PARENT_NETWORK_ID/><TEMPLATE_ID/>' +
      cdata('VN_MAD', network.vnMad) +
      '<PHYDEV/><VLAN_ID/><OUTER_VLAN_ID/>' +
      element('VLAN_ID_AUTOMATIC', 0) +
      element('OUTER_VLAN_ID_AUTOMATIC', 0) +
      element('USED_LEASES', used) +
      idCollection('VROUTERS', []) +
      idCollection('UPDATED_VMS', Object.values(network.leases)) +
      idCollection('OUTDATED_VMS', []) +
      idCollection('UPDATING_VMS', []) +
      idCollection('ERROR_VMS', []) +
      element('TEMPLATE', attributeElements(network.template)) +
      element('AR_POOL', addressRange(network, options.leases)),
  );
}

function addressRange(network: Network, withLeases: boolean): string {
  const leases = Object.entries(network.leases).map(([offset, vm]) =>
    element('LEASE', cdata('IP', leaseAddress(network, Number(offset))) + cdata('MAC', leaseMac(network, Number(offset))) + cdata('VM', String(vm))),
  );
  return element(
    'AR',
    cdata('AR_ID', '0') +
      cdata('IP', leaseAddress(network, 0)) +
      cdata('MAC', leaseMac(network, 0)) +
      cdata('SIZE', String(network.size)) +
      cdata('TYPE', 'IP4') +
      (withLeases ? cdata('MAC_END', leaseMac(network, network.size - 1)) + cdata('IP_END', leaseAddress(network, network.size - 1)) : '') +
      element('USED_LEASES', Object.keys(network.leases).length) +
      element('LEASES', withLeases ? leases.join('') : ''),
  );
}

/** SecurityGroup::to_xml. */
export function securityGroupBody(world: World, group: SecurityGroup, vmIds: readonly number[]): string {
  return element(
    'SECURITY_GROUP',
    identity(world, group) +
      permissions(group) +
      idCollection('UPDATED_VMS', vmIds) +
      idCollection('OUTDATED_VMS', []) +
      idCollection('UPDATING_VMS', []) +
      idCollection('ERROR_VMS', []) +
      element('TEMPLATE', attributeElements(group.template)),
  );
}
