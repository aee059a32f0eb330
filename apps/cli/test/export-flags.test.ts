import { describe, expect, it } from 'vitest';
import { type ExportFlags, formatOf, placeOf, rangeOf } from '../src/export/export-flags.ts';

const usage = expect.objectContaining({ code: 'CLI_USAGE' });

function flags(given: Partial<ExportFlags>): ExportFlags {
  return { checksums: true, ...given };
}

describe('the flags of export', () => {
  it('say where to, from the directory the command runs in', () => {
    expect(placeOf(flags({ output: 'disk.raw' }), '/here')).toEqual({ kind: 'file', path: '/here/disk.raw' });
    expect(placeOf(flags({ output: '-' }), '/here')).toEqual({ kind: 'stdout' });
    expect(placeOf(flags({ directory: '/there' }), '/here')).toEqual({ kind: 'directory', path: '/there' });
    expect(placeOf(flags({ toDevice: '/dev/sdz' }), '/here')).toEqual({ kind: 'device', path: '/dev/sdz' });
  });

  it.each<Partial<ExportFlags>>([
    {},
    { output: '' },
    { output: 'a', directory: 'b' },
    { output: 'a', toDevice: 'b' },
    { output: 'a', checksums: false },
    { output: '-', verify: true },
    { output: '-', force: true },
    { output: '-', preallocate: true },
    { directory: 'a', offset: '0' },
    { directory: 'a', length: '1' },
    { directory: 'a', force: true },
    { toDevice: 'a', format: 'qcow2' },
    { toDevice: 'a', force: true },
  ])('are refused when they contradict one another: %j', (given) => {
    expect(() => placeOf(flags(given), '/')).toThrow(usage);
  });

  it('say as what', () => {
    expect(formatOf(flags({}))).toEqual({ kind: 'raw' });
    expect(formatOf(flags({ format: 'qcow2' }))).toEqual({ kind: 'qcow2' });
    expect(formatOf(flags({ format: 'qcow2', compress: 'zstd', clusterSize: '2MiB' }))).toEqual({ kind: 'qcow2', compression: 'zstd', clusterBytes: 2 ** 21 });
    for (const given of [{ compress: 'zlib' }, { format: 'raw', clusterSize: '64K' }, { format: 'qcow2', clusterSize: 'large' }] as const)
      expect(() => formatOf(flags(given))).toThrow(usage);
  });

  it('say how much', () => {
    expect(rangeOf(flags({}))).toEqual({});
    expect(rangeOf(flags({ offset: '1MiB', length: '512' }))).toEqual({ offset: 2 ** 20, length: 512 });
    for (const offset of ['-1', '', '1MB', 'x']) expect(() => rangeOf(flags({ offset }))).toThrow(usage);
  });
});
