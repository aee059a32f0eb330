import type { CallOptions } from '@onevault/base';
import type { OneApi } from './api.ts';
import type { CallDeps } from './caller.ts';
import { isOneError } from './errors.ts';
import { methods } from './methods.ts';
import { type Image, type ImageId, imageId } from './model.ts';
import { parseImage } from './parse-image.ts';
import { permissionBits, UNCHANGED } from './permission-bits.ts';
import { pagedPool } from './pool.ts';
import { imageStateName } from './states.ts';
import { formatTemplate } from './template-text.ts';
import { waitFor } from './wait.ts';

type ImageCalls = Pick<
  OneApi,
  'image' | 'images' | 'updateImage' | 'chownImage' | 'chmodImage' | 'allocateImage' | 'deleteImage' | 'setImagePersistent' | 'waitForImage'
>;

const POOL = { pool: 'IMAGE_POOL', child: 'IMAGE', parse: parseImage } as const;

export function imageCalls(deps: CallDeps): ImageCalls {
  const { call, clock, outageMs } = deps;
  const image = async (id: ImageId, options?: CallOptions): Promise<Image> => parseImage(await call(methods.imageInfo, [id], options));

  async function imageIfAny(id: ImageId, signal: AbortSignal): Promise<Image | undefined> {
    try {
      return await image(id, { signal });
    } catch (error) {
      if (isOneError(error, 'ONE_NO_EXISTS')) return undefined;
      throw error;
    }
  }

  return {
    image,
    images: (options) => pagedPool(POOL, (offset, count) => call(methods.imagePoolInfo, [offset, count], options), deps),
    async updateImage(id, attributes, options) {
      await call(methods.imageUpdate, [id, formatTemplate(attributes)], options);
    },
    async chownImage(id, { userId = UNCHANGED, groupId = UNCHANGED }, options) {
      await call(methods.imageChown, [id, userId, groupId], options);
    },
    async chmodImage(id, permissions, options) {
      await call(methods.imageChmod, [id, permissionBits(permissions)], options);
    },
    allocateImage: async (attributes, datastore, options) => imageId(await call(methods.imageAllocate, [formatTemplate(attributes), datastore], options)),
    async deleteImage(id, options = {}) {
      await call(methods.imageDelete, [id, options.force ?? false], options);
    },
    async setImagePersistent(id, persistent, options) {
      await call(methods.imagePersistent, [id, persistent], options);
    },
    waitForImage: (id, verdict, options) =>
      waitFor(
        {
          read: (signal) => imageIfAny(id, signal),
          verdict,
          describe: (seen) => (seen ? imageStateName(seen.state) : 'does not exist'),
          object: `image ${id}`,
          clock,
          outageMs,
        },
        options,
      ),
  };
}
