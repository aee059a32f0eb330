/** Asks whether a version is that one or later. */
export interface VersionGate {
  /** True from 7.0.2 on for `atLeast(7, 0, 2)`. */
  atLeast(major: number, minor: number, patch?: number): boolean;
}

export function versionGate(version: string): VersionGate {
  const [a = 0, b = 0, c = 0] = version.split('.').map(Number);
  return {
    atLeast(major, minor, patch = 0) {
      if (a !== major) return a > major;
      return b === minor ? c >= patch : b > minor;
    },
  };
}
