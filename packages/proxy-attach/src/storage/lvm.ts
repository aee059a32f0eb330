import { attachedNames } from './attached-names.ts';
import { type LvmConfig, type LvmSetting, parseLvmConfig, settingOf } from './lvm-config.ts';
import { parseLvmFilter } from './lvm-filter.ts';
import type { OwnDevices } from './own-devices.ts';
import { programPaths, type RootFiles } from './root-files.ts';
import { type FileChange, type FixPlan, fine, notInstalled, type StorageFinding } from './storage-finding.ts';

const LVM_CONF = '/etc/lvm/lvm.conf';
/** Read after lvm.conf; its settings win (lvm.conf(5)). */
const LVM_LOCAL_CONF = '/etc/lvm/lvmlocal.conf';
const DEVICES_DIR = '/etc/lvm/devices';

const USE_DEVICES_FILE = 'devices/use_devicesfile';
const GLOBAL_FILTER = 'devices/global_filter';
const FILTER = 'devices/filter';

const WHY =
  "LVM would scan a guest's disk, activate its volume groups on the proxy VM (and write to their metadata), and confuse them with the proxy's own when both come from one template; an activated disk cannot be detached";

interface LvmFile {
  readonly path: string;
  readonly text: string;
  readonly config: LvmConfig;
}

/** A setting with the file it stands in. */
interface Located {
  readonly path: string;
  readonly setting: LvmSetting;
}

/** Whether LVM keeps away from attached disks: by its devices file, else by its filters; and whether it still sees the proxy's own volumes. */
export async function checkLvm(files: RootFiles, own: OwnDevices): Promise<StorageFinding[]> {
  if (!(await isInstalled(files))) return [notInstalled('lvm', 'LVM')];
  const configs = await readConfigs(files);
  if ('unreadable' in configs) return [unreadable(configs.unreadable)];
  const use = effective(configs.files, USE_DEVICES_FILE);
  if (use?.setting.value === 1) {
    const name = await devicesFile(files, configs.files);
    const text = await files.text(name);
    if (text !== undefined) return [judgeDevicesFile(name, text, own, use)];
  }
  return await judgeFilters(files, configs.files, own);
}

/** The filter that the proxy VM needs: its own physical volumes, nothing else. */
function ownFilter(own: OwnDevices): string {
  const accepted = own.physicalVolumes.map((name) => `"a|^/dev/${name.replace(/[.+*?()[\]{}^$|\\]/g, '\\\\$&')}$|"`);
  return `[ ${[...accepted, '"r|.*|"'].join(', ')} ]`;
}

/** Sets global_filter, and switches an open devices file off, where they stand now, or else in lvm.conf. */
export async function planLvmFix(files: RootFiles, own: OwnDevices): Promise<FixPlan> {
  const configs = await readConfigs(files);
  if ('unreadable' in configs) return { refused: `${configs.unreadable} is not in the form that lvm.conf(5) describes` };
  const use = effective(configs.files, USE_DEVICES_FILE);
  const name = await devicesFile(files, configs.files);
  if (use?.setting.value === 1 && (await files.exists(name))) return { refused: `${name} is in use: it is changed with lvmdevices, by hand` };
  const settings = new Map([[GLOBAL_FILTER, ownFilter(own)]]);
  if (use !== undefined || (await files.exists(name))) settings.set(USE_DEVICES_FILE, '0');
  const changed = new Map(configs.files.map(({ path, text }) => [path, text]));
  for (const [setting, value] of settings) {
    const path = effective(configs.files, setting)?.path ?? LVM_CONF;
    const after = withSetting(changed.get(path) ?? '', setting, value);
    if (after === undefined) return { refused: `${path} could not be changed so that ${setting} is ${value}` };
    changed.set(path, after);
  }
  const changes: FileChange[] = [...changed].map(([path, text]) => ({ path, text }));
  return { changes: changes.filter(({ path, text }) => configs.files.find((file) => file.path === path)?.text !== text) };
}

async function isInstalled(files: RootFiles): Promise<boolean> {
  return (await files.firstOf([LVM_CONF, ...programPaths('lvm')])) !== undefined;
}

async function readConfigs(files: RootFiles): Promise<{ readonly files: readonly LvmFile[] } | { readonly unreadable: string }> {
  const read: LvmFile[] = [];
  for (const path of [LVM_CONF, LVM_LOCAL_CONF]) {
    const text = await files.text(path);
    if (text === undefined) continue;
    const config = parseLvmConfig(text);
    if (config === undefined) return { unreadable: path };
    read.push({ path, text, config });
  }
  return { files: read };
}

function effective(configs: readonly LvmFile[], path: string): Located | undefined {
  return configs
    .toReversed()
    .flatMap((file): Located[] => {
      const setting = settingOf(file.config, path);
      return setting === undefined ? [] : [{ path: file.path, setting }];
    })
    .at(0);
}

async function devicesFile(_: RootFiles, configs: readonly LvmFile[]): Promise<string> {
  const name = effective(configs, 'devices/devicesfile')?.setting.value;
  return `${DEVICES_DIR}/${typeof name === 'string' ? name : 'system.devices'}`;
}

/** lvmdevices(8): `IDTYPE=devname IDNAME=/dev/vda3 DEVNAME=/dev/vda3 PVID=…`. Entries by name could come to mean an attached disk. */
function judgeDevicesFile(path: string, text: string, own: OwnDevices, use: Located): StorageFinding {
  const risky = text
    .split('\n')
    .map((entry, index) => ({ line: index + 1, name: /^IDTYPE=devname IDNAME=\/dev\/(\S+)/.exec(entry)?.[1] }))
    .find(({ name }) => name !== undefined && !own.physicalVolumes.includes(name));
  if (risky === undefined) return fine('lvm', `${place(use)}, ${path} lists what LVM may use`);
  return {
    subsystem: 'lvm',
    severity: 'danger',
    code: 'LVM_SEES_ATTACHED_DISKS',
    seen: `${path}:${risky.line}: /dev/${risky.name} is listed by name and is no volume of the proxy's own`,
    why: WHY,
    fix: `lvmdevices --deldev /dev/${risky.name}`,
    fixable: false,
  };
}

async function judgeFilters(files: RootFiles, configs: readonly LvmFile[], own: OwnDevices): Promise<StorageFinding[]> {
  const located = [GLOBAL_FILTER, FILTER].flatMap((path) => effective(configs, path) ?? []);
  const filters = located.map(({ setting }) => parseLvmFilter(setting.value));
  const broken = located.find((_, index) => filters[index] === undefined);
  if (broken !== undefined) return [{ ...unreadable(broken.path), seen: `${place(broken)} is not a list of patterns` }];
  const accepts = (names: readonly string[]): boolean => filters.every((filter) => filter?.accepts(names) ?? true);
  const seen = located.length === 0 ? `${LVM_CONF}: neither devices/global_filter nor devices/filter is set` : located.map(place).join('; ');
  const setting = `in ${LVM_CONF}, section devices: global_filter = ${ownFilter(own)}`;

  const open = attachedNames(own.usedDisks).filter(({ name, aliases }) => accepts([name, ...aliases].map((each) => `/dev/${each}`)));
  const rejected: string[] = [];
  for (const name of own.physicalVolumes) if (!accepts([`/dev/${name}`, ...(await linksTo(files, name))])) rejected.push(name);
  const findings: StorageFinding[] = [];
  if (open.length > 0) {
    const some = open.slice(0, 3).map(({ name }) => `/dev/${name}`);
    findings.push({
      subsystem: 'lvm',
      severity: 'danger',
      code: 'LVM_SEES_ATTACHED_DISKS',
      seen: `${seen}: LVM looks at ${some.join(', ')}${open.length > some.length ? ', …' : ''}`,
      why: WHY,
      fix: setting,
      fixable: true,
    });
  }
  if (rejected.length > 0) {
    findings.push({
      subsystem: 'lvm',
      severity: 'danger',
      code: 'LVM_OWN_DISK_REJECTED',
      seen: `${seen}: LVM does not look at /dev/${rejected.join(', /dev/')}, which the proxy VM runs on`,
      why: "the proxy's own volumes would not come up at its next boot",
      fix: setting,
      fixable: true,
    });
  }
  return findings.length > 0 ? findings : [fine('lvm', seen)];
}

/** The links below /dev/disk that lead to a device. */
async function linksTo(files: RootFiles, name: string): Promise<string[]> {
  const links: string[] = [];
  for (const kind of await files.names('/dev/disk')) {
    for (const link of await files.names(`/dev/disk/${kind}`)) {
      const path = `/dev/disk/${kind}/${link}`;
      if ((await files.link(path))?.split('/').at(-1) === name) links.push(path);
    }
  }
  return links;
}

function unreadable(path: string): StorageFinding {
  return {
    subsystem: 'lvm',
    severity: 'danger',
    code: 'LVM_CONFIG_UNREADABLE',
    seen: `${path} is not in the form that lvm.conf(5) describes`,
    why: `nobody can tell what LVM would do: ${WHY}`,
    fix: `see what lvmconfig --validate says, and repair ${path}`,
    fixable: false,
  };
}

function place({ path, setting }: Located): string {
  return `${path}:${setting.line}: ${setting.path} = ${JSON.stringify(setting.value)}`;
}

/** The text with that setting; undefined when it would not read back so. */
function withSetting(text: string, path: string, value: string): string | undefined {
  const config = parseLvmConfig(text);
  if (config === undefined) return undefined;
  const after = edited(text, config, path, value);
  const wanted = parseLvmConfig(`${path} = ${value}`)?.settings[0]?.value;
  const parsed = parseLvmConfig(after);
  const got = parsed && settingOf(parsed, path)?.value;
  return JSON.stringify(got) === JSON.stringify(wanted) ? after : undefined;
}

function edited(text: string, config: LvmConfig, path: string, value: string): string {
  const existing = settingOf(config, path);
  if (existing !== undefined) {
    const key = text.slice(existing.start, existing.end).split('=', 1)[0]?.trim() ?? path;
    return `${text.slice(0, existing.start)}${key} = ${value}${text.slice(existing.end)}`;
  }
  const [section = '', key = ''] = path.split('/');
  const opening = config.sections.get(section);
  const line = `\t# onevault: attached disks are none of LVM's business\n\t${key} = ${value}\n`;
  if (opening !== undefined) return `${text.slice(0, opening)}\n${line}${text.slice(opening)}`;
  return `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${section} {\n${line}}\n`;
}
