import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export interface ProxyRoot extends AsyncDisposable {
  readonly path: string;
  /** Path as the machine names it → text. */
  write(files: Readonly<Record<string, string>>): Promise<void>;
  link(path: string, target: string): Promise<void>;
}

/** A directory that looks like the root of a proxy VM: vda with a mounted partition, nothing else installed. */
export async function proxyRoot(files: Readonly<Record<string, string>> = {}): Promise<ProxyRoot> {
  const path = await mkdtemp(join(tmpdir(), 'ov-storage-'));
  const root: ProxyRoot = {
    path,
    async write(more) {
      for (const [name, text] of Object.entries(more)) {
        await mkdir(dirname(join(path, name)), { recursive: true });
        await writeFile(join(path, name), text);
      }
    },
    async link(name, target) {
      await mkdir(dirname(join(path, name)), { recursive: true });
      await symlink(target, join(path, name));
    },
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
  await root.write({
    '/proc/mounts': '/dev/vda1 / ext4 rw 0 0\n',
    '/sys/block/vda/size': '4194304\n',
    '/sys/block/vda/ro': '0\n',
    '/sys/block/vda/vda1/size': '4192256\n',
  });
  await root.write(files);
  return root;
}

/** `vda3` as the physical volume of a running volume group `vg0`, whose logical volume is the root of the proxy VM. */
export const ON_LVM: Readonly<Record<string, string>> = {
  '/proc/mounts': '/dev/mapper/vg0-root / ext4 rw 0 0\n',
  '/sys/block/vda/vda3/size': '2097152\n',
  '/sys/block/vda/vda3/holders/dm-0/dev': '253:0\n',
  '/sys/block/dm-0/dm/uuid': 'LVM-pS5VfAmLq0\n',
  '/sys/block/dm-0/dm/name': 'vg0-root\n',
};
