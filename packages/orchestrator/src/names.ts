/** Everything we create carries the run's id in its name: an orphan can be found and told from other people's objects without any journal. */
const OWN_PREFIX = 'onevault';

/** Attribute of every template, and of every image and VM whose name is the user's to choose: it says which run made it. */
export const RUN_MARK = 'ONEVAULT_RUN';
/** Whether what carries it is meant to stay: RESTORING until a restore has kept it, RESTORED from then on (ADR 30); KEPT after one that failed and was told to leave it. */
export const STATE_MARK = 'ONEVAULT_STATE';
/** The name it was made with: a copy under another name carries the marks too, and is somebody's. */
export const NAME_MARK = 'ONEVAULT_NAME';

/** Of an image or VM that a restore is making. */
export function unfinishedMarks(runId: string, name: string): Readonly<Record<string, string>> {
  return { [RUN_MARK]: runId, [STATE_MARK]: 'RESTORING', [NAME_MARK]: name };
}

/** Of a restored VM and its images: laid over the marks above. */
export const PRODUCT_MARKS: Readonly<Record<string, string>> = { [STATE_MARK]: 'RESTORED' };

/** Of what a failed restore left on demand: nobody's rubbish, and nothing whole. */
export const KEPT_MARKS: Readonly<Record<string, string>> = { [STATE_MARK]: 'KEPT' };

/** Whether it says of itself that it is meant to stay: whole, or as the way back (ADR 60). */
export function isMeantToStay(template: Readonly<Record<string, unknown>>): boolean {
  return template[STATE_MARK] === PRODUCT_MARKS[STATE_MARK] || template[STATE_MARK] === UNDO_STATE;
}

/** Of the VM of a drill: the restore point that it proves. */
export const DRILL_MARK = 'ONEVAULT_DRILL';

/** What a VM is, that is here for our work alone: of a drill, or of a restore that is not done. A copy under another name carries the marks too, and is somebody's. */
export function passingVm(vm: { readonly name: string; readonly userTemplate: Readonly<Record<string, unknown>> }): 'drill' | 'restore' | undefined {
  const marks = vm.userTemplate;
  if (marks[NAME_MARK] !== vm.name) return undefined;
  if (marks[DRILL_MARK] !== undefined) return 'drill';
  return marks[STATE_MARK] === 'RESTORING' ? 'restore' : undefined;
}

/** STATE_MARK of an image that a VM had and may go back to. */
export const UNDO_STATE = 'UNDO';
/** STATE_MARK of an image that is being written over, or was when somebody died. */
export const OVERWRITING_STATE = 'OVERWRITING';

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

const RUN_ID = /^(\d{4})(\d{2})(\d{2})t(\d{2})(\d{2})(\d{2})-[0-9a-z]{6}$/;

/** When the run with this id began, by the clock of its proxy; undefined for what no run was ever called. */
export function runIdTime(runId: string): Date | undefined {
  const [, year, month, day, hour, minute, second] = RUN_ID.exec(runId) ?? [];
  const time = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(time.getTime()) ? undefined : time;
}

/** What a name made by `captureName` says; undefined for every other name, however alike. */
export function parseCaptureName(name: string): { readonly runId: string; readonly vmId: number; readonly diskId: number } | undefined {
  const [, runId = '', vm, disk] = /^onevault-(\d{8}t\d{6}-[0-9a-z]{6})-vm(\d{1,10})-disk(\d{1,5})$/.exec(name) ?? [];
  const found = { runId, vmId: Number(vm), diskId: Number(disk) };
  return runIdTime(runId) !== undefined && captureName(runId, found.vmId, found.diskId) === name ? found : undefined;
}

/** The run in a name made by `templateName`. */
export function parseTemplateName(name: string): string | undefined {
  const [, runId = ''] = /^onevault-(\d{8}t\d{6}-[0-9a-z]{6})-template$/.exec(name) ?? [];
  return runIdTime(runId) === undefined ? undefined : runId;
}

/** Name of the empty image that a restored disk is written into when it is then saved as another one. */
export function stagingName(runId: string, diskId: number): string {
  return `${OWN_PREFIX}-${runId}-disk${diskId}-empty`;
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
