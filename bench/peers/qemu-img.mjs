import { runMeasured, runPlain } from '../measure/run.mjs';

/** `qemu-img convert` of the disk itself, which it need not fetch and unpack from anywhere; undefined when it is not installed. */
export async function qemuImgPeer() {
  const version = await runPlain('qemu-img', ['--version']).catch(() => undefined);
  if (version === undefined) return undefined;
  // By default it leaves what it wrote to the page cache.
  const convert = (image, target, ...options) => runMeasured('qemu-img', ['convert', '-f', 'raw', '-t', 'writeback', ...options, image, target]);
  return {
    name: 'qemu-img',
    version: version.split(' (')[0],
    raw: (image, target) => convert(image, target, '-O', 'raw'),
    qcow2: (image, target) => convert(image, target, '-O', 'qcow2'),
    'qcow2 zlib': (image, target) => convert(image, target, '-c', '-O', 'qcow2'),
    'qcow2 zstd': (image, target) => convert(image, target, '-c', '-O', 'qcow2', '-o', 'compression_type=zstd'),
    /** Throws unless the image is without error and without leak, and is the disk. */
    async check(image, raw) {
      await runPlain('qemu-img', ['check', '-f', 'qcow2', image]);
      await runPlain('qemu-img', ['compare', '-f', 'qcow2', '-F', 'raw', image, raw]);
    },
  };
}
