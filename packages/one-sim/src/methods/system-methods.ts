import { attributeElements, element } from '../bodies/element.ts';
import { STOCK_OPERATIONS } from '../rights/vm-actions.ts';
import type { Method } from './call.ts';

/** The part of oned.conf that every caller may read and that a client can make use of. */
const config: Method = (call) =>
  element(
    'OPENNEBULA_CONFIGURATION',
    attributeElements({
      API_LIST_ORDER: ['DESC'],
      DATASTORE_CAPACITY_CHECK: ['yes'],
      DEFAULT_DEVICE_PREFIX: ['sd'],
      DEFAULT_IMAGE_TYPE: ['OS'],
      DEFAULT_UMASK: ['177'],
      ENABLE_OTHER_PERMISSIONS: ['YES'],
      IMAGE_RESTRICTED_ATTR: ['SOURCE'],
      MESSAGE_SIZE: ['1073741824'],
      INHERIT_DATASTORE_ATTR: ['CEPH_HOST', 'POOL_NAME', 'DISK_TYPE', 'ALLOW_ORPHANS', 'QCOW2_STANDALONE', 'SPARSE', 'PERSISTENT_SNAPSHOTS'],
      INHERIT_IMAGE_ATTR: ['ISCSI_USER', 'DISK_TYPE', 'SERIAL'],
      VM_ADMIN_OPERATIONS: [STOCK_OPERATIONS.ADMIN],
      VM_ENCRYPTED_ATTR: ['CONTEXT/PASSWORD'],
      VM_MANAGE_OPERATIONS: [STOCK_OPERATIONS.MANAGE],
      VM_USE_OPERATIONS: [STOCK_OPERATIONS.USE],
      ...(call.cloud.world.atLeast(7, 2) ? {} : { DEFAULT_CDROM_DEVICE_PREFIX: ['hd'] }),
    }),
  );

export const systemMethods: Readonly<Record<string, Method>> = {
  'one.system.version': (call) => call.cloud.world.version,
  'one.system.config': config,
};
