import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errorCode, silentLogger, systemClock } from '@onevault/base';
import { resolveSettings } from '@onevault/composition';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkPlace } from '../../src/state/check-place.ts';
import { placesOf } from '../../src/state/open-place.ts';
import type { StateDeps } from '../../src/state/state-deps.ts';

let directory: string;
let check: (place: string, secretFile?: string) => ReturnType<StateDeps['checkPlace']>;
let make: (place: string, secretFile?: string) => Promise<void>;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'onevault-place-'));
  const secretsDirectory = join(directory, 'secrets');
  await mkdir(secretsDirectory);
  await writeFile(join(secretsDirectory, 'right'), 'correct horse battery staple\n', { mode: 0o600 });
  const deps = {
    settings: resolveSettings({}, { env: { HOME: directory }, cwd: directory, isRoot: false }),
    secretsDirectory,
    clock: systemClock,
    logger: silentLogger,
  };
  const { checkPlace: checker, openPlace: opener } = placesOf(deps);
  check = (place, secretFile) => checker({ place, secretFile }, {});
  make = async (place, secretFile) => {
    const maintenance = { timezone: 'UTC', gc: undefined, verify: undefined, verifyMode: 'sample' } as const;
    await (await opener({ name: 'made', place, secretFile, maintenance }, { create: true }))[Symbol.asyncDispose]();
  };
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const codes = ({ reasons }: { readonly reasons: readonly { readonly code: string }[] }): string[] => reasons.map(({ code }) => code);

describe('a place is looked at before it is set', () => {
  it('one that is not there would be made, and is not made by looking', async () => {
    const found = await check(join(directory, 'new'));
    expect(found).toMatchObject({ verdict: 'absent', freeBytes: expect.any(Number) });
    expect(codes(found)).toContain('PLACE_IN_CLEAR');
    expect(codes(found)).not.toContain('PLACE_DEEP');
    expect(await readdir(directory)).toEqual(['secrets']);
  });

  it('a slip in a path shows: only a directory far above it exists', async () => {
    const found = await check(join(directory, 'mtn', 'backup', 'vault'), 'right');
    expect(found).toMatchObject({ verdict: 'absent' });
    expect(found.reasons.find(({ code }) => code === 'PLACE_DEEP')?.text).toContain(directory);
  });

  it('an empty directory, one with something else in it, and a file in its place are told apart', async () => {
    const place = join(directory, 'share');
    await mkdir(place);
    expect(await check(place, 'right')).toMatchObject({ verdict: 'empty' });
    await writeFile(join(place, 'holiday.jpg'), 'x');
    const occupied = await check(place);
    expect(occupied).toMatchObject({ verdict: 'occupied', reasons: [{ code: 'REPO_NOT_EMPTY', remedy: expect.any(String) }] });
    expect(occupied.reasons[0]?.text).toContain('holiday.jpg');
    expect(await check(join(place, 'holiday.jpg'))).toMatchObject({ verdict: 'unusable', reasons: [{ code: 'REPO_PATH_INVALID' }] });
  });

  it('a repository is recognised with its secret, and what is wrong with another is said', async () => {
    const place = join(directory, 'sealed');
    await make(place, 'right');
    expect(await check(place, 'right')).toEqual({ verdict: 'repository', encrypted: true, freeBytes: expect.any(Number), reasons: [] });
    expect(await check(place)).toMatchObject({ verdict: 'unusable', reasons: [{ code: 'REPO_KEY_REQUIRED' }] });
    const missing = await check(join(directory, 'new'), 'nowhere');
    expect(missing).toMatchObject({ verdict: 'unusable', reasons: [{ remedy: expect.any(String) }] });
    expect(missing.reasons[0]?.text).toContain('nowhere');
  });

  it('one that is not encrypted is recognised, and that is said', async () => {
    const place = join(directory, 'clear');
    await make(place);
    const found = await check(place);
    expect(found).toMatchObject({ verdict: 'repository', encrypted: false });
    expect(codes(found)).toEqual(['PLACE_IN_CLEAR']);
  });

  it('a bucket whose server does not answer is unusable, with what to do', async () => {
    const found = await check('s3://bucket/prefix?endpoint=http://127.0.0.1:9&region=eu');
    expect(found.verdict).toBe('unusable');
    expect(found.reasons[0]).toMatchObject({ code: expect.stringMatching(/^REPO_/), remedy: expect.any(String) });
  });

  it('what names no place, or no secret, is refused before anything is looked for or made', async () => {
    const refused = async (work: Promise<unknown>): Promise<unknown> => work.then(() => 'done', errorCode);
    expect(await refused(check('vault'))).toBe('SERVER_REQUEST_INVALID');
    expect(await refused(make('vault'))).toBe('SERVER_REQUEST_INVALID');
    expect(await refused(check(join(directory, 'new'), '../right'))).toBe('SERVER_SETTINGS_INVALID');
  });

  it('a place that hangs is unusable when its time is over', async () => {
    const never = new Promise<never>(() => undefined);
    let isOver = (): void => undefined;
    const sleep = (): Promise<void> =>
      new Promise((resolve) => {
        isOver = resolve;
      });
    const clock = { ...systemClock, now: () => new Date(), monotonicMs: () => 0, sleep };
    const checking = checkPlace({ place: '/mnt/dead', open: () => never, openStore: () => never as never, readSecret: () => never, clock }, {});
    isOver();
    expect(await checking).toMatchObject({ verdict: 'unusable', reasons: [{ code: 'PLACE_SLOW' }] });
  });
});
