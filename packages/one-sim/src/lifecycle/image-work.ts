import { mkdir, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Cloud } from '../cloud.ts';
import { copySparse, createSparse } from '../disk/sparse-copy.ts';
import { IMAGE_STATE } from '../model/states.ts';
import type { Image, Operation } from '../model/world-schema.ts';
import { setText } from '../template/attributes.ts';
import { wakeCloningVms } from './deploy.ts';
import { setImageState } from './image-use.ts';
import { DriverFailure, type OperationHandler } from './operation-handler.ts';
import { refuseFullDatastore } from './space.ts';
import { ctime } from './vm-change.ts';

const imageOf = (cloud: Cloud, operation: Operation): Image | undefined => cloud.world.images.get(operation.image ?? -1);

/** mkfs or cp: an empty sparse file, or a copy of PATH. */
export const imageCreateHandler: OperationHandler = {
  step: 'allocate',
  async work(cloud, operation, signal) {
    const image = imageOf(cloud, operation);
    if (!image) return;
    await cloud.pace.pass('allocate', { signal, bytesCopied: image.path === '' ? 0 : image.sizeMiB * 2 ** 20 });
    if (image.path !== '') refuseFullDatastore(cloud, image);
    const target = cloud.layout.image(image);
    await mkdir(dirname(target), { recursive: true });
    if (image.path === '') await createSparse(target, image.sizeMiB * 2 ** 20);
    else await copySparse(image.path, target, { signal }).catch((error: unknown) => failCopy(image, error));
  },
  succeed: becomeReady,
  fail(cloud, operation, text) {
    const image = imageOf(cloud, operation);
    if (image) setImageError(cloud, image, image.path === '' ? `Error creating datablock: ${text}` : `Error copying image in the datastore: ${text}`);
  },
};

/** The last step of disksaveas, after the VM was released. */
export const imageReadyHandler: OperationHandler = {
  step: 'saveasReady',
  work: (cloud, _operation, signal) => cloud.pace.pass('saveasReady', { signal }),
  succeed: becomeReady,
  fail(cloud, operation, text) {
    const image = imageOf(cloud, operation);
    if (image) setImageError(cloud, image, text);
  },
};

export const imageDeleteHandler: OperationHandler = {
  step: 'delete',
  async work(cloud, operation, signal) {
    const image = imageOf(cloud, operation);
    if (!image) return;
    await cloud.pace.pass('delete', { signal });
    const path = cloud.layout.image(image);
    if (path === '') return;
    // fs/rm is `[ -e SRC ] && rm`: a missing file is status 1. A file already removed by a killed run looks the same.
    if (!(await exists(path)) && image.state === IMAGE_STATE.DELETE && operation.force !== true) throw new DriverFailure('');
    await rm(path, { force: true });
    await rm(cloud.layout.snapshotDir(path), { recursive: true, force: true });
  },
  succeed(cloud, operation) {
    cloud.world.images.delete(operation.image ?? -1);
  },
  fail(cloud, operation) {
    if (operation.force) {
      cloud.world.images.delete(operation.image ?? -1);
      return;
    }
    const image = imageOf(cloud, operation);
    const advice = 'Retry the operation or manually remove image source  and run the delete --force operation to completely delete the image';
    if (image) setImageError(cloud, image, `Error removing image from datastore. ${advice}`);
  },
};

export const imageCloneHandler: OperationHandler = {
  step: 'clone',
  async work(cloud, operation, signal) {
    const image = imageOf(cloud, operation);
    const source = cloud.world.images.get(operation.sourceImage ?? -1);
    if (!image || !source) throw new DriverFailure('the source image is gone');
    await cloud.pace.pass('clone', { signal, bytesCopied: image.sizeMiB * 2 ** 20 });
    refuseFullDatastore(cloud, image);
    const target = cloud.layout.image(image);
    await mkdir(dirname(target), { recursive: true });
    await copySparse(cloud.layout.image(source), target, { signal });
  },
  succeed(cloud, operation) {
    releaseClonedImage(cloud, operation);
    becomeReady(cloud, operation);
  },
  fail(cloud, operation, text) {
    releaseClonedImage(cloud, operation);
    const image = imageOf(cloud, operation);
    if (image) setImageError(cloud, image, `Error cloning image from Image: ${operation.sourceImage}. ${text}`);
  },
};

function releaseClonedImage(cloud: Cloud, operation: Operation): void {
  const source = cloud.world.images.get(operation.sourceImage ?? -1);
  if (!source) return;
  source.cloneIds = source.cloneIds.filter((id) => id !== operation.image);
  source.cloningOps = source.cloneIds.length;
  if (source.cloningOps > 0) return;
  if (source.state === IMAGE_STATE.CLONE || (source.state === IMAGE_STATE.USED && source.vmIds.length === 0)) setImageState(source, IMAGE_STATE.READY);
}

function becomeReady(cloud: Cloud, operation: Operation): void {
  const image = imageOf(cloud, operation);
  if (!image) return;
  image.cloningId = -1;
  if (image.state === IMAGE_STATE.LOCKED) setImageState(image, IMAGE_STATE.READY);
  if (image.state === IMAGE_STATE.LOCKED_USED) setImageState(image, IMAGE_STATE.USED);
  if (image.state === IMAGE_STATE.LOCKED_USED_PERS) setImageState(image, IMAGE_STATE.USED_PERS);
  wakeCloningVms(cloud, image);
}

function setImageError(cloud: Cloud, image: Image, text: string): void {
  setImageState(image, IMAGE_STATE.ERROR);
  setText(image.template, 'ERROR', `${ctime(cloud.clock.now())} : ${text}`);
  wakeCloningVms(cloud, image);
}

function failCopy(image: Image, error: unknown): never {
  throw new DriverFailure(`Not allowed to copy image file ${image.path}`, { cause: error });
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
