import { type MultipathEntry, type MultipathSection, parseMultipathConfig } from './multipath-config.ts';
import { programPaths, type RootFiles } from './root-files.ts';
import { type FixPlan, fine, notInstalled, type StorageFinding } from './storage-finding.ts';

const MULTIPATH_CONF = '/etc/multipath.conf';
/** Read in addition to multipath.conf (multipath.conf(5)). */
const CONF_DIR = '/etc/multipath/conf.d';
const OUR_CONF = `${CONF_DIR}/onevault.conf`;

const OUR_TEXT = `# onevault: disks that are attached to this VM are read as they are, never through multipath.
blacklist {
    device {
        vendor "QEMU"
        product "QEMU HARDDISK"
    }
}
`;

/** An attached disk as multipath knows it. Of virtio disks it never takes any: its built-in blacklist admits sd, dasd and nvme only. */
const ATTACHED = { devnode: 'sdb', vendor: 'QEMU', product: 'QEMU HARDDISK', wwid: '0QEMU_QEMU_HARDDISK_ov-0123456789abcdef' };

/** find_multipaths: with these a disk with a single path is left alone. */
const CAREFUL = new Set(['yes', 'on', 'strict']);

interface Config {
  readonly path: string;
  readonly sections: readonly MultipathSection[];
}

export async function checkMultipath(files: RootFiles): Promise<StorageFinding[]> {
  const installed = await files.firstOf([MULTIPATH_CONF, ...programPaths('multipathd'), ...programPaths('multipath')]);
  if (installed === undefined) return [notInstalled('multipath', 'multipath')];
  const configs = await readConfigs(files);
  if ('unreadable' in configs) return [unreadable(configs.unreadable)];
  const blacklisted = blacklistEntry(configs.configs);
  if (blacklisted !== undefined) return [fine('multipath', blacklisted)];
  const find = lastEntry(configs.configs, 'defaults', 'find_multipaths');
  if (find !== undefined && CAREFUL.has(find.entry.value)) return [fine('multipath', `${find.path}:${find.entry.line}: find_multipaths ${find.entry.value}`)];
  return [
    {
      subsystem: 'multipath',
      severity: find === undefined ? 'warning' : 'danger',
      code: 'MULTIPATH_TAKES_ATTACHED_DISKS',
      seen:
        find === undefined
          ? `${installed}: find_multipaths is not set, and QEMU disks are not blacklisted`
          : `${find.path}:${find.entry.line}: find_multipaths ${find.entry.value}`,
      why: 'multipathd would put a map over an attached disk: the disk is then in use, cannot be read exclusively, and cannot be detached',
      fix: `in ${OUR_CONF}: blacklist { device { vendor "QEMU" product "QEMU HARDDISK" } }, then multipathd reconfigure`,
      fixable: true,
    },
  ];
}

export async function planMultipathFix(files: RootFiles): Promise<FixPlan> {
  const configs = await readConfigs(files);
  if ('unreadable' in configs) return { refused: `${configs.unreadable} is not in the form that multipath.conf(5) describes` };
  const ours = { path: OUR_CONF, sections: parseMultipathConfig(OUR_TEXT) ?? [] };
  const after = [...configs.configs.filter(({ path }) => path !== OUR_CONF), ours];
  if (blacklistEntry(after) === undefined) return { refused: 'blacklist_exceptions of the present configuration would undo it' };
  return { changes: [{ path: OUR_CONF, text: OUR_TEXT }] };
}

async function readConfigs(files: RootFiles): Promise<{ readonly configs: readonly Config[] } | { readonly unreadable: string }> {
  const configs: Config[] = [];
  const more = (await files.names(CONF_DIR)).filter((name) => name.endsWith('.conf')).map((name) => `${CONF_DIR}/${name}`);
  for (const path of [MULTIPATH_CONF, ...more]) {
    const text = await files.text(path);
    if (text === undefined) continue;
    const sections = parseMultipathConfig(text);
    if (sections === undefined) return { unreadable: path };
    configs.push({ path, sections });
  }
  return { configs };
}

/** What blacklists an attached disk, if anything does. An exception counts against the entries of its own kind only (multipath.conf(5), blacklist_exceptions). */
function blacklistEntry(configs: readonly Config[]): string | undefined {
  for (const kind of ['devnode', 'wwid', 'device'] as const) {
    const hit = matching(configs, 'blacklist', kind);
    if (hit !== undefined && matching(configs, 'blacklist_exceptions', kind) === undefined) return hit;
  }
  return undefined;
}

function matching(configs: readonly Config[], section: string, kind: 'devnode' | 'wwid' | 'device'): string | undefined {
  for (const { path, sections } of configs) {
    for (const { entries, sections: subsections } of sections.filter(({ name }) => name === section)) {
      if (kind !== 'device') {
        const hit = entries.find(({ keyword, value }) => keyword === kind && matches(value, ATTACHED[kind]));
        if (hit !== undefined) return `${path}:${hit.line}: ${section} ${kind} ${hit.value}`;
        continue;
      }
      const hit = subsections.find((device) => device.name === 'device' && isAttachedDevice(device.entries));
      if (hit !== undefined) return `${path}:${hit.line}: ${section} device ${hit.entries.map(({ value }) => value).join(' ')}`;
    }
  }
  return undefined;
}

function isAttachedDevice(entries: readonly MultipathEntry[]): boolean {
  const named = entries.filter(({ keyword }) => keyword === 'vendor' || keyword === 'product');
  return named.length > 0 && named.every(({ keyword, value }) => matches(value, keyword === 'vendor' ? ATTACHED.vendor : ATTACHED.product));
}

/** Extended regular expressions; a leading `!` inverts. What is none matches nothing. */
function matches(pattern: string, text: string): boolean {
  const inverted = pattern.startsWith('!');
  try {
    return new RegExp(inverted ? pattern.slice(1) : pattern).test(text) !== inverted;
  } catch {
    return false;
  }
}

function lastEntry(configs: readonly Config[], section: string, keyword: string): { readonly path: string; readonly entry: MultipathEntry } | undefined {
  return configs
    .flatMap(({ path, sections }) => sections.filter(({ name }) => name === section).flatMap(({ entries }) => entries.map((entry) => ({ path, entry }))))
    .findLast(({ entry }) => entry.keyword === keyword);
}

function unreadable(path: string): StorageFinding {
  return {
    subsystem: 'multipath',
    severity: 'danger',
    code: 'MULTIPATH_CONFIG_UNREADABLE',
    seen: `${path} is not in the form that multipath.conf(5) describes`,
    why: 'nobody can tell whether multipathd would take attached disks',
    fix: `see what multipath -t says, and repair ${path}`,
    fixable: false,
  };
}
