import { z } from 'zod';
import type { Operation } from '../operation.ts';
import * as runs from '../schemas/run.ts';
import * as vms from '../schemas/vm.ts';
import { objectName, pageOf, pageQuery, pointIdParam, vmIdParam } from '../schemas/wire-values.ts';

const ofVm = z.object({ vmId: vmIdParam });
const ofPoint = z.object({ repository: objectName, pointId: pointIdParam });

/** Restore points: what is in them, and what keeps them. */
export const POINT_OPERATIONS: readonly Operation[] = [
  {
    id: 'listPointsOfVm',
    method: 'get',
    path: '/vms/{vmId}/points',
    tag: 'points',
    summary: 'restore points of a VM, newest first',
    role: 'viewer',
    objects: 'vm-use',
    params: ofVm,
    query: pageQuery,
    answer: { status: 200, body: pageOf(vms.point) },
  },

  {
    id: 'getPoint',
    method: 'get',
    path: '/repositories/{repository}/points/{pointId}',
    tag: 'points',
    summary: 'one restore point',
    role: 'viewer',
    objects: 'vm-use',
    params: ofPoint,
    answer: { status: 200, body: vms.point },
  },
  {
    id: 'holdPoint',
    method: 'put',
    path: '/repositories/{repository}/points/{pointId}/hold',
    tag: 'points',
    summary: 'keep it whatever retention says',
    role: 'operator',
    objects: 'vm-manage',
    params: ofPoint,
    body: vms.hold,
    answer: { status: 204 },
  },
  {
    id: 'releasePoint',
    method: 'delete',
    path: '/repositories/{repository}/points/{pointId}/hold',
    tag: 'points',
    summary: 'leave it to retention again',
    role: 'operator',
    objects: 'vm-manage',
    params: ofPoint,
    answer: { status: 204 },
  },
  {
    id: 'tagPoint',
    method: 'put',
    path: '/repositories/{repository}/points/{pointId}/tags',
    tag: 'points',
    summary: 'its tags',
    role: 'operator',
    objects: 'vm-manage',
    params: ofPoint,
    body: vms.tags,
    answer: { status: 204 },
  },
  {
    id: 'listFiles',
    method: 'get',
    path: '/repositories/{repository}/points/{pointId}/files',
    tag: 'points',
    summary: 'file systems of a restore point, and files in a directory',
    role: 'operator',
    objects: 'vm-manage',
    params: ofPoint,
    query: vms.fileQuery,
    answer: { status: 200, body: vms.fileListing },
  },
  {
    id: 'readFile',
    method: 'get',
    path: '/repositories/{repository}/points/{pointId}/files/content',
    tag: 'points',
    summary: 'a file, or a directory as tar',
    role: 'operator',
    objects: 'vm-manage',
    params: ofPoint,
    query: vms.fileQuery,
    answer: { status: 200, file: 'application/octet-stream' },
    audited: true,
  },
  {
    id: 'previewRestore',
    method: 'post',
    path: '/restore-previews',
    tag: 'points',
    summary: 'what a restore would create, change and check',
    role: 'operator',
    objects: 'vm-manage',
    body: runs.runRequest,
    answer: { status: 200, body: runs.restorePreview },
    audited: false,
  },
];
