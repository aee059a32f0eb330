import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatStoreUrl, isRepositoryError, parseStoreUrl, type StoreAddress } from '../src/index.ts';

const part = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,20}$/);
const port = fc.integer({ min: 1, max: 65_535 });
const endpoint = fc.tuple(fc.constantFrom('http', 'https'), fc.domain(), port).map(([scheme, host, at]) => new URL(`${scheme}://${host}:${at}`).origin);
const lock = fc.record({ days: fc.integer({ min: 1, max: 36_500 }), mode: fc.constantFrom('governance' as const, 'compliance' as const) });

const s3 = fc.record(
  {
    kind: fc.constant('s3' as const),
    bucket: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{1,20}[A-Za-z0-9]$/),
    prefix: fc.array(part, { maxLength: 4 }).map((parts) => parts.join('/')),
    endpoint,
    region: fc.stringMatching(/^[A-Za-z0-9-]{1,20}$/),
    pathStyle: fc.boolean(),
    caFile: fc.string({ minLength: 1, unit: 'grapheme' }).filter((path) => !path.includes('\0')),
    lock,
  },
  { requiredKeys: ['kind', 'bucket', 'prefix'] },
);
const file = fc.string({ minLength: 1, unit: 'grapheme' }).filter((path) => !path.includes('\0'));

describe('URLs of stores', () => {
  it('an S3 address survives being written and read', () => {
    fc.assert(
      fc.property(s3, (address) => {
        expect(parseStoreUrl(formatStoreUrl(address))).toEqual(address);
      }),
    );
  });

  it('so does a path, whatever is in it, up to a ./ where it looked like a URL', () => {
    fc.assert(
      fc.property(file, (path) => {
        const read = parseStoreUrl(formatStoreUrl({ kind: 'file', path }));
        expect(read.kind === 'file' && [path, `./${path}`]).toContain(read.kind === 'file' ? read.path : undefined);
      }),
    );
  });

  it('any text is an address that survives, or refused as REPO_URL_INVALID', () => {
    const text = fc.oneof(
      fc.string(),
      fc.string().map((rest) => `s3://bucket/${rest}`),
      fc.string().map((rest) => `s3://bucket?${rest}`),
      fc.string().map((rest) => `file:${rest}`),
    );
    fc.assert(
      fc.property(text, (typed) => {
        let address: StoreAddress;
        try {
          address = parseStoreUrl(typed);
        } catch (error) {
          expect(isRepositoryError(error, 'REPO_URL_INVALID')).toBe(true);
          return;
        }
        expect(parseStoreUrl(formatStoreUrl(address))).toEqual(address);
      }),
      { numRuns: 500 },
    );
  });
});
