import { dropPageCache, warmPageCache } from '../measure/page-cache.mjs';
import { ddRead } from '../peers/dd.mjs';

/** Scans of an unchanged disk: past the page cache beside dd on the same device, and from the page cache. */
export async function measureScan({ image, device, work, rounds, ours, size, note }) {
  const digests = `${work}/digests`;
  await ours.scan({ device: image, direct: 'off', digests });

  const direct = { ours: [], dd: [] };
  for (let round = 0; round < rounds && device !== undefined; round += 1) {
    await dropPageCache();
    const scanned = requireUnchanged(await ours.scan({ device, direct: 'on', digests }));
    await dropPageCache();
    const read = await ddRead(device);
    direct.ours.push(scanned.scanSeconds);
    direct.dd.push(read.seconds);
    note(`scan direct: ours ${scanned.scanSeconds.toFixed(2)} s, dd ${read.seconds.toFixed(2)} s`);
  }

  const cached = [];
  await warmPageCache(image);
  for (let round = 0; round < rounds; round += 1) {
    const scanned = requireUnchanged(await ours.scan({ device: image, direct: 'off', digests }));
    // What a hole saves is not speed of reading.
    cached.push(scanned.readBytes / 2 ** 30 / scanned.scanSeconds);
    note(`scan from the page cache: ${scanned.scanSeconds.toFixed(2)} s`);
  }
  return [
    {
      measure: 'scan, O_DIRECT',
      kind: 'seconds',
      ours: direct.ours,
      peer: 'dd',
      theirs: direct.dd,
      bytes: size,
      absent: device === undefined ? 'needs root and a loop device' : undefined,
    },
    { measure: 'scan, page cache', kind: 'GiB/s', ours: cached },
  ];
}

/** A scan that sees changes on an unchanged disk has measured something else. */
function requireUnchanged(scanned) {
  if (scanned.changedBlocks !== 0) throw new Error(`the scan of an unchanged disk found ${scanned.changedBlocks} changed blocks`);
  return scanned;
}
