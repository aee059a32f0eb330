import type { Answer } from '@onevault/api';
import { type FakeHandlers, pointOf } from './fake-call.ts';
import type { FakeState } from './fake-state.ts';

export function restoreHandlers(state: FakeState): FakeHandlers {
  return {
    restoreChoices: ({ params }) => {
      const point = pointOf(state, String(params['pointId']));
      const store = { availableMiB: 900_000, totalMiB: 4_000_000 };
      return {
        name: `${point.vmName.slice(0, 119)}-restored`,
        originalLives: true,
        disks: [
          ...point.disks.map(({ diskId, target, sizeBytes }) => ({ diskId, target, sizeBytes, saved: true, imageDatastore: 1 })),
          { diskId: 2, target: 'vdc', sizeBytes: 4 * 1024 ** 3, saved: false },
        ],
        networks: [
          { id: 3, name: 'prod', exists: true },
          { name: 'old-dmz', exists: false },
        ],
        targets: {
          imageDatastores: [
            { ...store, id: 1, name: 'default' },
            { ...store, id: 102, name: 'ceph' },
          ],
          systemDatastores: [{ ...store, id: 0, name: 'system' }],
          networks: [
            { id: 3, name: 'prod' },
            { id: 4, name: 'test' },
          ],
        },
        questions: [{ question: 'uuid', choices: ['new', 'keep'] }],
      };
    },
    previewRestore: ({ body }) =>
      'pointId' in body ? previewOf(body.kind === 'restore' ? body.name : pointOf(state, body.pointId).vmName, body.kind) : previewOf('', body.kind),
  };
}

function previewOf(name: string, kind: string): Answer<'previewRestore'> {
  const inPlace = kind === 'restore-in-place';
  return {
    objects: [
      { kind: 'image', name: `${name}-disk-0`, diskId: 0, sizeBytes: 20 * 1024 ** 3, datastore: 'default', what: 'image of disk 0', temporary: false },
      { kind: 'template', name: `onevault-${name}`, what: 'template that the VM is made from', temporary: true },
    ],
    definition: inPlace
      ? []
      : [
          { path: 'NAME', action: 'replace', before: 'web-0001', after: name, code: 'NAME_ASKED', reason: 'as it was asked for' },
          { path: 'CPU', action: 'keep', before: '2', after: '2', code: 'KEPT', reason: 'as it was' },
          { path: 'NIC[0]/MAC', action: 'drop', before: '02:00:0a:00:00:07', code: 'ADDRESS_IN_USE', reason: 'the original is alive and has it' },
          { path: 'CONTEXT/PASSWORD', action: 'keep', secret: true, code: 'KEPT', reason: 'as it was' },
          { path: 'OS/UUID', action: 'replace', before: 'f1', after: 'new', code: 'UUID_NEW', reason: 'two VMs of one uuid would not be told apart' },
        ],
    questions: [{ question: 'uuid', answer: 'new', choices: ['new', 'keep'] }],
    checks: [
      { severity: 'ok', code: 'SPACE', what: 'space in default', why: '900 GiB are free, 20 GiB are needed' },
      {
        severity: 'warning',
        code: 'NIC_ADDRESS',
        what: 'the address of NIC 0',
        why: 'the original is alive and has it',
        remedy: 'take new addresses, or restore without networks',
      },
    ],
    notes: [],
    verdict: 'degraded',
    possible: true,
    ...(inPlace && { stops: true }),
  };
}
