import type { StatsFs } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { parseStoreUrl } from '@onevault/backup-format';
import { type Clock, errorCode } from '@onevault/base';
import type { DoctorDeps, Volume } from '@onevault/orchestrator';
import { checkProxyStorage, chooseIdentification } from '@onevault/proxy-attach';
import { findProxyVm } from './proxy-vm.ts';
import type { Settings } from './settings.ts';

export interface DoctorFacts extends Pick<DoctorDeps, 'frontEndTime' | 'findProxy' | 'identification' | 'storage' | 'volumes'> {
  /** For whoever opens the cloud: the doctor compares the front-end's clock with ours. */
  readonly onServerTime: (time: Date) => void;
}

/** What the doctor of this process looks at beside cloud and repository. */
export function doctorFacts(settings: Settings, clock: Clock): DoctorFacts {
  let frontEnd: { readonly theirs: Date; readonly ours: Date } | undefined;
  return {
    onServerTime: (theirs) => {
      frontEnd = { theirs, ours: clock.now() };
    },
    frontEndTime: () => frontEnd,
    findProxy: (cloud, options) => findProxyVm(settings, cloud, options ?? {}),
    identification: (version) => identificationText(chooseIdentification(version, settings.identification)),
    storage: (options) => checkProxyStorage(settings.proxyRoot, options),
    volumes: () => volumes(settings),
  };
}

function identificationText({ bus, serialReachesGuest, byDifference }: ReturnType<typeof chooseIdentification>): string {
  const ways = [
    serialReachesGuest ? 'by a serial of ours' : undefined,
    bus === 'sd' ? 'by their SCSI address' : undefined,
    byDifference ? 'at worst by what came' : undefined,
  ];
  return `${ways.filter((way) => way !== undefined).join(' and ')} (bus ${bus})`;
}

const MIB = 1024 * 1024;

/** The state directory, whose journal no run can do without, and a repository on a file system. */
function volumes({ stateDir, repo }: Pick<Settings, 'stateDir' | 'repo'>): Promise<Volume[]> {
  const places = [{ use: 'state directory', path: stateDir, neededBytes: 16 * MIB }];
  const address = repo === undefined ? undefined : parseStoreUrl(repo);
  if (address?.kind === 'file') places.push({ use: 'repository', path: address.path, neededBytes: 512 * MIB });
  return Promise.all(
    places.map(async (place) => {
      const { bavail, blocks, bsize } = await statfsOfNearest(place.path);
      return { ...place, freeBytes: bavail * bsize, totalBytes: blocks * bsize };
    }),
  );
}

/** Of the directory, or where it would be made. */
async function statfsOfNearest(path: string): Promise<StatsFs> {
  try {
    return await statfs(path);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT' || dirname(path) === path) throw error;
    return statfsOfNearest(dirname(path));
  }
}
