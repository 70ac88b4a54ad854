// Attacks by the places of the token in the request: ambiguous ones, and those that the options do
// not name. The token itself is good.
import type { Carrier } from '@latchkey/core';
import type { Attack, Need } from '../attack.ts';
import type { Bench } from '../bench.ts';
import { placed, withQuery } from '../carry.ts';
import type { Forgery } from '../forgery.ts';
import { AMBIGUOUS, hasPlace, unbound } from '../places.ts';

const NOT_CONFIGURED =
  'The service reads tokens from a place that the options do not name, such as one that lands in logs. Read tokenFrom only.';
const SCHEME =
  'The header is read loosely, so that a proxy may read another token. Require the scheme, one space and the token, and nothing else.';

const NO_TOKEN =
  'A request with the scheme and no token passes. Refuse it as one without the header, before any other check.';

const inHeader: Need = ({ carrier }) => ('header' in carrier ? undefined : 'the token is not in a header');

const inScheme: Need = ({ carrier }) =>
  schemeOf(carrier) === undefined ? 'the token has no scheme before it' : undefined;

function schemeOf(carrier: Carrier): string | undefined {
  if (!('header' in carrier)) return undefined;
  if (carrier.scheme !== undefined) return carrier.scheme ?? undefined;
  return carrier.header.toLowerCase() === 'authorization' ? 'Bearer' : undefined;
}

const values = (
  id: Attack['id'],
  title: string,
  advice: string,
  write: (scheme: string, token: string, forged: string) => readonly string[],
): Attack => ({
  id,
  title,
  advice,
  needs: [unbound, inScheme],
  forge: async (bench) => {
    const { carrier, good } = bench;
    const header = 'header' in carrier ? carrier.header : '';
    const forged = await forgedToken(bench);
    return write(schemeOf(carrier) ?? '', good.token, forged).map((value) => ({
      headers: [[header, value]],
    }));
  },
});

function forgedToken({ good, signAsStranger }: Bench): Promise<string> {
  return signAsStranger(good.header, good.claims);
}

/** Places that programs read by habit, without those of the options. */
function otherPlaces(bench: Bench): readonly Carrier[] {
  const places: readonly Carrier[] = [
    { query: 'access_token' },
    { query: 'token' },
    { cookie: 'access_token' },
    { cookie: 'token' },
    { cookie: 'jwt' },
    { header: 'X-Access-Token' },
    { header: 'X-Auth-Token' },
    { header: 'Token' },
    { header: 'Proxy-Authorization', scheme: 'Bearer' },
    { header: 'X-Forwarded-Authorization', scheme: 'Bearer' },
    ...(/^(?:POST|PUT|PATCH)$/.test(bench.route.method) ? [{ body: 'access_token' }] : []),
  ];
  const nameOf = (carrier: Carrier) => JSON.stringify(Object.values(carrier)[0]).toLowerCase();
  const known = new Set(bench.config.carriers.map(nameOf));
  return places.filter((place) => !known.has(nameOf(place)));
}

/** Both requests in one. */
function both(one: Forgery, other: Forgery): Forgery {
  return { ...one, ...other, headers: [...(one.headers ?? []), ...(other.headers ?? [])] };
}

export const CARRIER_ATTACKS: readonly Attack[] = [
  {
    id: 'T-074/two-headers',
    title: 'the header twice: with a good token and with a forged one, in both orders',
    advice: AMBIGUOUS,
    needs: [unbound, inHeader],
    forge: async (bench) => {
      const { carrier, good, route } = bench;
      const [own, forged] = [
        placed(carrier, good.token, route),
        placed(carrier, await forgedToken(bench), route),
      ];
      return [both(own, forged), both(forged, own)];
    },
  },
  values('T-075/comma', 'two tokens in one header, joined by a comma', AMBIGUOUS, (scheme, token, forged) => [
    `${scheme} ${token}, ${scheme} ${forged}`,
    `${scheme} ${forged},${scheme} ${token}`,
    `${scheme} ${token},${forged}`,
  ]),
  values('T-076/scheme', 'a good token with another scheme, and without one', SCHEME, (scheme, token) => [
    token,
    `Basic ${token}`,
    `${scheme}X ${token}`,
    `X${scheme} ${token}`,
    `${scheme}:${token}`,
    `${scheme}${token}`,
  ]),
  values('T-076/scheme-twice', 'a good token after the scheme twice', SCHEME, (scheme, token) => [
    `${scheme} ${scheme} ${token}`,
  ]),
  values('T-077/no-token', 'the scheme without a token, and with a word in its place', NO_TOKEN, (scheme) => [
    scheme,
    `${scheme} null`,
    `${scheme} undefined`,
    `${scheme} [object Object]`,
  ]),
  values('T-077/separators', 'a tab or a no-break space after the scheme', SCHEME, (scheme, token) => [
    `${scheme}\t${token}`,
    `${scheme}\u00a0${token}`,
  ]),
  values('T-077/text-after', 'a good token with text after it, and in quotes', SCHEME, (scheme, token) => [
    `${scheme} ${token} x`,
    `${scheme} "${token}"`,
    `${scheme} ${token};x`,
  ]),
  {
    id: 'T-078/two-places',
    title: 'tokens in two of the configured places',
    advice: AMBIGUOUS,
    needs: [
      unbound,
      ({ config }) => (config.carriers.length < 2 ? 'tokenFrom has one place only' : undefined),
    ],
    forge: async (bench) => {
      const { carrier, config, route, good } = bench;
      const others = config.carriers.filter(
        (other) => other !== carrier && !('body' in other) && !('cookie' in other && 'cookie' in carrier),
      );
      const own = placed(carrier, good.token, route);
      const forged = await forgedToken(bench);
      return others.flatMap((other) => [
        both(own, placed(other, forged, route)),
        both(placed(carrier, forged, route), placed(other, good.token, route)),
      ]);
    },
  },
  {
    id: 'T-082/query-twice',
    title: 'the query parameter twice: with a good token and with a forged one',
    advice: AMBIGUOUS,
    needs: [unbound, hasPlace('query')],
    forge: async (bench) => {
      const { config, route, good } = bench;
      const forged = await forgedToken(bench);
      return config.carriers.flatMap((carrier) => {
        if (!('query' in carrier)) return [];
        const pair = (one: string, other: string) => ({
          target: withQuery(withQuery(route.path, carrier.query, one), carrier.query, other),
        });
        return [pair(good.token, forged), pair(forged, good.token)];
      });
    },
  },
  {
    id: 'T-085/other-place',
    title: 'a good token in a place that is not configured',
    advice: NOT_CONFIGURED,
    needs: [unbound],
    forge: (bench) =>
      otherPlaces(bench).map((place) => ({
        ...placed(place, bench.good.token, bench.route),
        label: Object.entries(place)
          .slice(0, 1)
          .map(([kind, name]) => `${kind} ${name}`)
          .join(),
      })),
  },
];
