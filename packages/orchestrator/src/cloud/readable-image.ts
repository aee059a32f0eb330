import { type CallOptions, errorCode } from '@onevault/base';
import type { Image, ImageId, OneApi } from '@onevault/one-client';

/** Undefined for one that is gone or that we may not see. */
export async function readableImage(cloud: OneApi, id: ImageId, options: CallOptions): Promise<Image | undefined> {
  try {
    return await cloud.image(id, options);
  } catch (error) {
    if (errorCode(error) === 'ONE_NO_EXISTS' || errorCode(error) === 'ONE_AUTHORIZATION') return undefined;
    throw error;
  }
}
