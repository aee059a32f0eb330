import type { OneApi } from '@onevault/one-client';
import { type Checked, type Finding, ok, trouble } from './finding.ts';

/** What was measured and tested (docs/opennebula.md). */
const OLDEST = [6, 10] as const;
const NEWEST = [7, 4] as const;

/** Whether this version of OpenNebula is one whose behaviour is known. */
export async function* checkCloud(cloud: OneApi, version: string): Checked {
  yield versionFinding(cloud.endpoint, version);
  if (cloud.endpoint.protocol === 'http:' && !isLoopback(cloud.endpoint.hostname)) {
    yield trouble(
      'cloud',
      'warning',
      'CLOUD_PLAIN_HTTP',
      cloud.endpoint.href,
      'password or token go over the network in the clear',
      'put a TLS proxy in front of port 2633 and name it with https:// in ONE_XMLRPC, or keep this network to yourself',
    );
  }
}

function versionFinding(endpoint: URL, version: string): Finding {
  const [major = Number.NaN, minor = Number.NaN] = version.split('.').map(Number);
  const text = `OpenNebula ${version} answers`;
  if (Number.isNaN(major) || Number.isNaN(minor))
    return trouble(
      'cloud',
      'warning',
      'CLOUD_VERSION_UNKNOWN',
      endpoint.href,
      `it calls its version '${version}'`,
      'name the front-end itself, not a proxy of something else',
    );
  if (isBelow([major, minor], OLDEST))
    return trouble(
      'cloud',
      'problem',
      'CLOUD_VERSION_OLD',
      endpoint.href,
      `${text}; below ${OLDEST.join('.')} snapshots and hot-plugging follow other rules, which were never tried`,
      `upgrade OpenNebula to ${OLDEST.join('.')} or later`,
    );
  if (isBelow(NEWEST, [major, minor]))
    return trouble(
      'cloud',
      'warning',
      'CLOUD_VERSION_NEW',
      endpoint.href,
      `${text}; it is newer than ${NEWEST.join('.')}, the newest whose behaviour was measured`,
      'look for a newer onevault; until then back up and restore a VM that nobody needs first',
    );
  return ok('cloud', 'CLOUD_VERSION', endpoint.href, text);
}

function isBelow([major, minor]: readonly [number, number], [otherMajor, otherMinor]: readonly [number, number]): boolean {
  return major < otherMajor || (major === otherMajor && minor < otherMinor);
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.');
}
