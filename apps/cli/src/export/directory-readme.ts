import type { RestorePoint, StoredDisk } from '@onevault/backup-format';
import { diskFacts, pointVm, skippedDisks } from '@onevault/composition';
import { printable } from '../render/table.ts';
import { formatBytes } from '../render/units.ts';

export interface ReadmeFacts {
  readonly point: RestorePoint;
  readonly disks: readonly { readonly file: string; readonly disk: StoredDisk }[];
  readonly format: 'raw' | 'qcow2';
  readonly checksums: boolean;
  readonly metadata: readonly string[];
  /** Files of metadata that could not be read. */
  readonly lost: readonly string[];
}

/** What lies in an exported directory, for whoever finds it. */
export function directoryReadme({ point, disks, format, checksums, metadata, lost }: ReadmeFacts): string {
  const { id, name } = pointVm(point);
  const left = point.disks.filter((disk) => !disks.some((one) => one.disk === disk));
  return [
    `VM ${id ?? '?'} ${printable(name ?? '')} as it was at ${point.capturedAt}`,
    '',
    `Exported by onevault from restore point ${point.id} (group ${point.group}).`,
    '',
    ...disks.map(({ file, disk }) => `${file.padEnd(16)} ${diskLine(disk)}`),
    ...left.map((disk) => `not exported:    ${diskLine(disk)}`),
    ...skippedDisks(point).map((disk) => `not backed up:   disk ${disk.diskId ?? '?'} ${disk.target ?? ''}: ${disk.reasons.join(', ')}`),
    '',
    ...(metadata.length > 0 ? ['What OpenNebula said of the VM and what belongs to it, as it said it:', ...metadata.map((file) => `  ${file}`), ''] : []),
    ...(lost.length > 0 ? ['Lost, as the repository is damaged:', ...lost.map((file) => `  ${file}`), ''] : []),
    ...(checksums ? ['sha256sum --check SHA256SUMS says whether everything is as it was written.'] : []),
    format === 'qcow2'
      ? 'qemu-img info says what is in an image.'
      : 'The disks are raw: their bytes and nothing else, holes where they are zeros (qemu-img -f raw).',
    '',
  ].join('\n');
}

function diskLine(disk: StoredDisk): string {
  const { diskId, target, imageName, consistency } = diskFacts(disk);
  const facts = [target, imageName, formatBytes(disk.sizeBytes), consistency].filter((fact) => fact !== undefined);
  return `disk ${diskId ?? disk.key}: ${printable(facts.join(', '))}`;
}
