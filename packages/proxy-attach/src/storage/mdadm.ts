import { attachedNames } from './attached-names.ts';
import type { OwnDevices } from './own-devices.ts';
import { programPaths, type RootFiles } from './root-files.ts';
import { type FixPlan, fine, notInstalled, type StorageFinding } from './storage-finding.ts';

/** Debian's place and that of others; mdadm reads the first that is there (mdadm.conf(5)). */
const CONFIGS = ['/etc/mdadm/mdadm.conf', '/etc/mdadm.conf'];

/** Kinds of metadata that an array of a guest can have. */
const METADATA = ['0.90', '1.x', 'ddf', 'imsm'];

interface Line {
  readonly line: number;
  readonly words: readonly string[];
}

/** Whether mdadm, run by udev for every new disk (mdadm --incremental), would assemble arrays that are not the proxy's own. */
export async function checkMdadm(files: RootFiles, own: OwnDevices): Promise<StorageFinding[]> {
  const program = await files.firstOf(programPaths('mdadm'));
  const config = await files.firstOf(CONFIGS);
  if (program === undefined && config === undefined) return [notInstalled('mdadm', 'mdadm')];
  const lines = linesOf((config && (await files.text(config))) ?? '');
  const auto = lines.find(isAuto);
  const open = METADATA.filter((metadata) => assembles(auto?.words.slice(1) ?? [], metadata));
  if (open.length === 0 && auto !== undefined) return [fine('mdadm', `${config}:${auto.line}: ${auto.words.join(' ')}`)];
  const devices = lines.filter(({ words: [keyword = ''] }) => isKeyword(keyword, 'device'));
  if (devices.length > 0 && !mayScanAttached(devices, own)) {
    return [fine('mdadm', devices.map(({ line, words }) => `${config}:${line}: ${words.join(' ')}`).join('; '))];
  }
  return [
    {
      subsystem: 'mdadm',
      severity: 'danger',
      code: 'MDADM_ASSEMBLES_ATTACHED_DISKS',
      seen: auto === undefined ? `${config ?? program}: AUTO is not set, so every array is assembled` : `${config}:${auto.line}: ${auto.words.join(' ')}`,
      why: "an array on a guest's disk would be assembled on the proxy VM, degraded, and its members written to; the disk is then in use and cannot be detached",
      fix: `in ${config ?? CONFIGS[0]}: AUTO -all (with an ARRAY line for each array of the proxy's own)`,
      fixable: true,
    },
  ];
}

/** `AUTO -all`; only arrays with a line of their own are then assembled, so the proxy's must have one. */
export async function planMdadmFix(files: RootFiles, own: OwnDevices): Promise<FixPlan> {
  const path = (await files.firstOf(CONFIGS)) ?? '/etc/mdadm/mdadm.conf';
  const text = (await files.text(path)) ?? '';
  const lines = linesOf(text);
  const arrays = lines.filter(({ words: [keyword = ''] }) => isKeyword(keyword, 'array')).length;
  if (arrays < own.arrays.length) {
    const names = own.arrays.join(', ');
    return {
      refused: `the proxy VM runs ${names}, and ${path} does not list all of them: mdadm --detail --scan >> ${path} first, or they would not come up again`,
    };
  }
  const auto = lines.filter(isAuto);
  const raw = text.split('\n');
  if (auto.some(({ line }) => /^\s/.test(raw[line] ?? ''))) return { refused: `${path}: AUTO goes on over several lines` };
  const kept = raw.filter((_, index) => !auto.some(({ line }) => line === index + 1));
  const body = kept.join('\n');
  const separator = body === '' || body.endsWith('\n') ? '' : '\n';
  return { changes: [{ path, text: `${body}${separator}# onevault: attached disks are not assembled\nAUTO -all\n` }] };
}

/** mdadm.conf(5): words separated by blanks, `#` comments, a line that begins with a blank continues the one before. */
function linesOf(text: string): Line[] {
  const lines: { line: number; words: string[] }[] = [];
  for (const [index, raw] of text.split('\n').entries()) {
    const words = raw
      .replace(/(^|\s)#.*$/, '')
      .split(/\s+/)
      .filter((word) => word !== '');
    if (words.length === 0) continue;
    const last = lines.at(-1);
    if (/^\s/.test(raw) && last !== undefined) last.words.push(...words);
    else lines.push({ line: index + 1, words });
  }
  return lines;
}

/** Keywords may be shortened to three letters, in either case. */
function isKeyword(word: string, keyword: string): boolean {
  return word.length >= 3 && keyword.startsWith(word.toLowerCase());
}

function isAuto({ words: [keyword = ''] }: Line): boolean {
  return isKeyword(keyword, 'auto');
}

/** The first word that applies decides; without any, arrays are assembled. `homehost` counts as yes: a clone of the proxy's template has its host name. */
function assembles(words: readonly string[], metadata: string): boolean {
  for (const word of words.map((each) => each.toLowerCase())) {
    if (word === 'homehost') return true;
    const [sign, what] = [word[0], word.slice(1)];
    if (what === 'all' || what === metadata || (metadata === '1.x' && /^1(?:\.\w)?$/.test(what))) return sign !== '-';
  }
  return true;
}

/** DEVICE patterns restrict what is looked at; `partitions` and `containers` are everything. */
function mayScanAttached(devices: readonly Line[], own: OwnDevices): boolean {
  const patterns = devices.flatMap(({ words }) => words.slice(1));
  return patterns.some(
    (pattern) =>
      pattern === 'partitions' ||
      pattern === 'containers' ||
      attachedNames(own.usedDisks).some(({ name, aliases }) => [name, ...aliases].some((each) => globMatches(pattern, `/dev/${each}`))),
  );
}

/** glob(7). */
function globMatches(pattern: string, text: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|\\]/g, '\\$&')
    .replaceAll('*', '[^/]*')
    .replaceAll('?', '[^/]')
    .replaceAll('[!', '[^');
  try {
    return new RegExp(`^${source}$`).test(text);
  } catch {
    return true; // what is not understood may mean anything
  }
}
