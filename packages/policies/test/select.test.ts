import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fits, judgeVm, parseSelector } from '../src/index.ts';
import { fitsGlob } from '../src/select/glob.ts';
import { vmFacts } from '../testing/index.ts';

const vm = vmFacts();

describe('a selector', () => {
  it.each([
    ['*', true],
    ['label=prod', true],
    ['label=PROD', true],
    ['label="front end"', true],
    ['label=Front End and state=running', true],
    ['label=test', false],
    ['label!=test', true],
    ['name=web-*', true],
    ['name=web', false],
    ['name=db-*|web-0?', true],
    ['name=db-* | web-0?', true],
    ['name!=db-*|web-*', false],
    ['owner=alice and group!=dev', false],
    ['id=17', true],
    ['id=12..20', true],
    ['id=18..20', false],
    ['datastore=ceph', true],
    ['datastore!=ceph', false],
    ['host=*', true],
    ['attribute.backup=gold', true],
    ['attribute.MISSING=*', false],
    ['attribute.MISSING!=*', true],
    ['attribute.EMPTY=*', true],
    ['name=web-01 AND label=prod AND cluster=default', true],
  ])('%s fits: %s', (text, expected) => {
    expect(fits(parseSelector(text), vm)).toBe(expected);
  });

  it('of a VM on no host: it has none', () => {
    const { host: _, ...stopped } = vm;
    expect(fits(parseSelector('host=*'), stopped)).toBe(false);
    expect(fits(parseSelector('host!=kvm-3'), stopped)).toBe(true);
  });

  it('that is as large as a request may be is read in no time to speak of, or refused', { timeout: 5_000 }, () => {
    const long = 'a'.repeat(250_000);
    for (const text of [`name=${long}"x"`, `name=${'"a'.repeat(100_000)}`, `${long}=x`, `name=a${' '.repeat(250_000)}b"c"`, `name=${'a" "'.repeat(60_000)}`])
      expect(() => parseSelector(text)).toThrow();
    for (const text of [`name=${long}`, `name=${'a|'.repeat(100_000)}b`, `name=a${' and name=a'.repeat(20_000)}`])
      expect(fits(parseSelector(text), vm)).toBe(false);
  });

  it('refuses what cannot be read', () => {
    for (const text of ['', 'web', 'name', 'name=', 'size=3', 'name=a and', 'and name=a', 'name=a||b', 'name="a', 'attribute.=x', 'name==|'])
      expect(() => parseSelector(text), text).toThrow(expect.objectContaining({ code: 'POLICY_SELECTOR_INVALID' }));
  });
});

describe('a policy and a VM', () => {
  const selection = { include: [parseSelector('label=prod'), parseSelector('id=17')], exclude: [parseSelector('name=*-02'), parseSelector('state=POWEROFF')] };

  it('says which entry chose it', () => expect(judgeVm(selection, vm)).toEqual({ verdict: 'selected', by: 'label=prod' }));
  it('excludes whatever else includes', () =>
    expect(judgeVm(selection, { ...vm, state: 'POWEROFF' })).toMatchObject({ verdict: 'excluded', by: 'state=POWEROFF' }));
  it('heeds what the owner says on the VM itself', () => {
    const opted = (value: string) => judgeVm(selection, { ...vm, attributes: { ONEVAULT_EXCLUDE: value } });
    expect(opted('rebuilt from git every night')).toEqual({ verdict: 'opted-out', reason: 'rebuilt from git every night' });
    expect(opted('YES')).toMatchObject({ verdict: 'opted-out' });
    expect(opted('no')).toMatchObject({ verdict: 'selected' });
  });
  it('is never for a VM that serves backups itself', () =>
    expect(judgeVm(selection, { ...vm, servesAs: 'proxy VM of onevault' })).toEqual({ verdict: 'excluded', by: 'onevault', reason: 'proxy VM of onevault' }));
  it('is not for others', () => expect(judgeVm(selection, { ...vm, id: 3, labels: [] })).toEqual({ verdict: 'not-selected' }));
});

describe('patterns', () => {
  it('mean what a regular expression made of them means', () => {
    const letters = fc.array(fc.constantFrom('a', 'b', '*', '?'), { maxLength: 8 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(letters, fc.array(fc.constantFrom('a', 'b'), { maxLength: 10 }), (pattern, text) => {
        const expression = new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`);
        expect(fitsGlob(pattern, text.join(''))).toBe(expression.test(text.join('')));
      }),
    );
  });

  it('of the worst kind take no time to speak of', () => {
    expect(fitsGlob(`${'*a'.repeat(200)}b`, 'a'.repeat(2000))).toBe(false);
  });
});
