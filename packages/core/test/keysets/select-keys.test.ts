// The keys that a set has for a token, without any token: by kid, without one, and by every way to
// choose.
import { describe, expect, it } from 'vitest';
import type { VerificationKey } from '../../src/jwk/import-jwks.ts';
import { createSnapshot, type KeySelection, type Keyset } from '../../src/keysets/keyset.ts';
import { indexKeysets, selectKeys } from '../../src/keysets/select.ts';
import type { AlgorithmName } from '../../src/token/algorithms.ts';
import type { KeyName } from '../../src/token/parse.ts';

function keyOf(kid: string | undefined, thumbprint: string, ...algorithms: AlgorithmName[]): VerificationKey {
  return {
    kid,
    x5t: undefined,
    x5tS256: undefined,
    thumbprint,
    verifiers: new Map(algorithms.map((name) => [name, () => true])),
  };
}

function select(
  keys: readonly VerificationKey[],
  selection: KeySelection,
  named: string | undefined | Partial<KeyName>,
  algorithm: AlgorithmName = 'ES256',
) {
  const given = typeof named === 'object' ? named : { kid: named };
  const name = { kid: undefined, x5t: undefined, x5tS256: undefined, ...given };
  const { known, candidates, final } = selectKeys(createSnapshot(keys), selection, algorithm, name);
  return { known, keys: candidates.map(({ thumbprint }) => thumbprint).join(' '), final };
}

const [A, B, C] = [keyOf('a', '1', 'ES256'), keyOf('b', '2', 'ES256'), keyOf('c', '3', 'RS256')];
const many = (kid: string | undefined) =>
  Array.from({ length: 6 }, (_, index) => keyOf(kid, String(index + 1), 'ES256'));
const none = { known: false, keys: '', final: undefined };

describe('a kid', () => {
  it.each(['first', 'try-all', 'refuse'] as const)(
    'finds its key, whatever is done without one: %s',
    (kidless) => {
      expect(select([A, B, C], { kidless }, 'b')).toEqual({ known: true, keys: '2', final: undefined });
      expect(select([A, B, C], { kidless }, 'x')).toEqual(none);
      expect(select([A], { kidless }, 'x')).toEqual(none);
    },
  );

  it('is known though its key is for another algorithm', () => {
    expect(select([A, B, C], { kidless: 'first' }, 'c')).toEqual({ known: true, keys: '', final: undefined });
  });

  it('T-126: of several keys has the first three of its algorithm', () => {
    const keys = [keyOf('k', '0', 'RS256'), ...many('k')];
    expect(select(keys, { kidless: 'first' }, 'k').keys).toBe('1 2 3');
  });
});

describe('a certificate, of a token without a kid', () => {
  const [first, second, plain] = [
    { ...keyOf('a', '1', 'ES256'), x5t: 'one', x5tS256: 'ONE' },
    { ...keyOf('b', '2', 'ES256'), x5t: 'two', x5tS256: undefined },
    keyOf('c', '3', 'ES256'),
  ];
  const found = (keys: string) => ({ known: true, keys, final: undefined });

  it.each(['first', 'try-all', 'refuse'] as const)(
    'finds its key, whatever is done without one: %s',
    (kidless) => {
      const by = (name: Partial<KeyName>) => select([plain, first, second], { kidless }, name);
      expect(by({ x5t: 'two' })).toEqual(found('2'));
      expect(by({ x5tS256: 'ONE' })).toEqual(found('1'));
      expect(by({ x5t: 'one', x5tS256: 'ONE' })).toEqual(found('1'));
      // Only one of both thumbprints of this key is known.
      expect(by({ x5t: 'two', x5tS256: 'TWO' })).toEqual(found('2'));
      expect(by({ x5t: 'three' })).toEqual(none);
      expect(by({ x5tS256: 'TWO' })).toEqual(none);
    },
  );

  it('T-126: two thumbprints that name different keys name none', () => {
    expect(select([first, second], { kidless: 'first' }, { x5t: 'two', x5tS256: 'ONE' })).toEqual(none);
    expect(select([first, second], { kidless: 'first' }, { x5t: 'one', x5tS256: 'TWO' })).toEqual(none);
    expect(select([first, second], { kidless: 'first' }, { x5t: 'other', x5tS256: 'ONE' })).toEqual(none);
  });

  it('T-127: names nothing in a set without certificates', () => {
    const name = { x5t: 'one', x5tS256: 'ONE' };
    expect(select([plain, A], { kidless: 'first' }, name)).toEqual({ known: true, keys: '3', final: true });
    expect(select([plain, A], { kidless: 'try-all' }, name)).toEqual(found('3 1'));
    expect(select([plain, A], { kidless: 'refuse' }, name)).toEqual(none);
  });

  it('is not needed among keys that are tried for any token', () => {
    const keys = [first, second];
    expect(select(keys, { kidless: 'first', unnamed: true }, { x5t: 'x' })).toEqual(found('1 2'));
    expect(select(keys, { kidless: 'first', unnamed: true }, { x5t: 'two' })).toEqual(found('2'));
  });
});

describe('T-127: no kid', () => {
  it('has the first key of its algorithm, which is final', () => {
    expect(select([C, A, B], { kidless: 'first' }, undefined)).toEqual({
      known: true,
      keys: '1',
      final: true,
    });
  });

  it('has none of its algorithm, which looking again would not help, unless the set is empty', () => {
    expect(select([C], { kidless: 'first' }, undefined)).toEqual({ known: true, keys: '', final: undefined });
    expect(select([], { kidless: 'first' }, undefined)).toEqual(none);
  });

  it('has four at most where all are tried', () => {
    expect(select(many('k'), { kidless: 'try-all' }, undefined)).toEqual({
      known: true,
      keys: '1 2 3 4',
      final: undefined,
    });
    expect(select([C], { kidless: 'try-all' }, undefined)).toEqual({
      known: true,
      keys: '',
      final: undefined,
    });
    expect(select([], { kidless: 'try-all' }, undefined)).toEqual(none);
  });

  it('is refused where that is said', () => {
    expect(select([A], { kidless: 'refuse' }, undefined)).toEqual(none);
  });
});

describe('keys that were given without a kid', () => {
  const unnamed = { kidless: 'first', unnamed: true } as const;

  it.each(['x', undefined])('are all tried for the kid %s, and known', (kid) => {
    expect(select([...many(undefined), keyOf(undefined, '9', 'RS256')], unnamed, kid)).toEqual({
      known: true,
      keys: '1 2 3 4 5 6',
      final: undefined,
    });
  });

  it('are not tried by kid where they were not given so', () => {
    expect(select(many(undefined), { kidless: 'first' }, 'x')).toEqual(none);
  });
});

describe('the keysets of an issuer', () => {
  const keysetOf = (issuer: string | undefined, name: string) => ({ issuer, name }) as Keyset;
  const [one, two, other, any] = [
    keysetOf('i', 'one'),
    keysetOf('i', 'two'),
    keysetOf('j', 'other'),
    keysetOf(undefined, 'any'),
  ];
  const { forIssuer } = indexKeysets([one, any, other, two], [other]);

  it('T-049: are those that name it, in order', () => {
    expect(forIssuer('i')).toEqual([one, two]);
    expect(forIssuer('j')).toEqual([other]);
  });

  it('are those without one, if none names it', () => {
    expect(forIssuer('k')).toEqual([any]);
    expect(forIssuer('i/')).toEqual([any]);
    expect(forIssuer('undefined')).toEqual([any]);
    expect(indexKeysets([one], []).forIssuer('k')).toEqual([]);
  });

  it('settlement 3: without an issuer are those that the options say, and no others', () => {
    expect(forIssuer(undefined)).toEqual([other]);
    expect(indexKeysets([one, any], []).forIssuer(undefined)).toEqual([]);
  });
});
