/** What an attached disk is called on the proxy VM: its name and the links that udev makes, without /dev. */
export interface AttachedName {
  readonly name: string;
  readonly aliases: readonly string[];
}

const LETTERS = [...'abcdefghijklmnopqrstuvwxyz'];
const SERIAL = 'ov-0123456789abcdef';

/**
 * Every name that the kernel may give to an attached disk, with a partition each: any letter that no disk of the proxy's own has. The next disk gets
 * the first free letter, so what holds for each of them holds for all.
 */
export function attachedNames(ownDisks: readonly string[]): AttachedName[] {
  return ['vd', 'sd'].flatMap((bus) =>
    LETTERS.map((letter) => bus + letter)
      .filter((name) => !ownDisks.includes(name))
      .flatMap((name) => {
        const links =
          bus === 'vd' ? [`disk/by-id/virtio-${SERIAL}`] : [`disk/by-id/scsi-0QEMU_QEMU_HARDDISK_${SERIAL}`, 'disk/by-path/pci-0000:00:05.0-scsi-0:0:25:0'];
        return [
          { name, aliases: links },
          { name: `${name}1`, aliases: links.map((link) => `${link}-part1`) },
        ];
      }),
  );
}
