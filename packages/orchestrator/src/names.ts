/** Everything we create carries the run's id in its name: an orphan can be found and told from other people's objects without any journal. */
const OWN_PREFIX = 'onevault';

/**
 * Attribute of every image and VM whose name is the user's to choose: it says which run made it. A restored VM and its images keep it: the mark alone
 * does not make an orphan, only a journal that has not written them down as kept does.
 */
export const RUN_MARK = 'ONEVAULT_RUN';

/** `20261122t184334-k3f9ab`: sortable, unique, and made of characters every OpenNebula name allows. */
export function newRunId(now: Date, randomBytes: (length: number) => Uint8Array): string {
  const stamp = now.toISOString().replace(/[-:]/g, '').slice(0, 15).toLowerCase();
  const tail = Array.from(randomBytes(6), (byte) => (byte % 36).toString(36)).join('');
  return `${stamp}-${tail}`;
}

/** Name of the disk snapshot and of the temporary image of one disk. */
export function captureName(runId: string, vmId: number, diskId: number): string {
  return `${OWN_PREFIX}-${runId}-vm${vmId}-disk${diskId}`;
}

/** Name of the image that a restored disk gets. */
export function diskImageName(vmName: string, diskId: number): string {
  return `${vmName}-disk-${diskId}`;
}

export function templateName(runId: string): string {
  return `${OWN_PREFIX}-${runId}-template`;
}

/** Characters OpenNebula refuses in names (opennebula.md section f): made harmless in names that come from users. */
export function isValidName(name: string): boolean {
  return name.length > 0 && name.length <= 128 && !/[&|:\\";/'#{}$<>\p{Cc}]/u.test(name);
}
