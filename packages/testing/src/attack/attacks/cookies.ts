// Attacks by cookies: two of them, and those that a page of another origin sends.
import type { Attack } from '../attack.ts';
import type { Bench } from '../bench.ts';
import type { Forgery } from '../forgery.ts';
import { AMBIGUOUS, hasPlace, unbound } from '../places.ts';

const CROSS_SITE =
  'A page of another origin can use the cookie of a user. Compare Origin or Sec-Fetch-Site for requests that are not safe, and for sockets.';
const FOREIGN = 'https://evil.example';

export const COOKIE_ATTACKS: readonly Attack[] = [
  {
    id: 'T-080/cookie-twice',
    title: 'the cookie twice: with a good token and with a forged one, in both orders',
    advice: AMBIGUOUS,
    needs: [unbound, hasPlace('cookie')],
    forge: async (bench) => {
      const forged = await bench.signAsStranger(bench.good.header, bench.good.claims);
      const { good, config } = bench;
      return config.carriers.flatMap((carrier) => {
        if (!('cookie' in carrier)) return [];
        const pair = (...tokens: readonly string[]): Forgery => ({
          headers: [
            ['Cookie', tokens.map((token) => `${carrier.cookie}=${token}`).join('; ')],
            ['Sec-Fetch-Site', 'same-origin'],
          ],
        });
        return [pair(good.token, forged), pair(forged, good.token)];
      });
    },
  },
  {
    id: 'T-081/cross-site',
    title: 'a cookie with a good token, from a page of another origin',
    advice: CROSS_SITE,
    needs: [
      unbound,
      hasPlace('cookie'),
      ({ route }) =>
        /^(?:GET|HEAD)$/.test(route.method)
          ? 'the method is safe, so that other origins may use it'
          : undefined,
    ],
    forge: (bench) => crossSite(bench, []),
  },
  {
    id: 'T-093/cross-site-socket',
    title: 'a cookie with a good token, for a socket of a page of another origin',
    advice: CROSS_SITE,
    needs: [
      unbound,
      hasPlace('cookie'),
      ({ route }) => (route.method === 'GET' ? undefined : 'sockets are opened by GET'),
    ],
    forge: (bench) =>
      crossSite(bench, [
        ['Connection', 'Upgrade'],
        ['Upgrade', 'websocket'],
        ['Sec-WebSocket-Version', '13'],
        ['Sec-WebSocket-Key', 'bGF0Y2hrZXktYXR0YWNrcw=='],
      ]),
  },
];

/** With the cookie, and an origin that may not use it. */
function crossSite({ config, good }: Bench, more: NonNullable<Forgery['headers']>): readonly Forgery[] {
  return config.carriers.flatMap((carrier) => {
    if (!('cookie' in carrier)) return [];
    const cookie = ['Cookie', `${carrier.cookie}=${good.token}`] as const;
    return [
      { headers: [cookie, ['Origin', FOREIGN], ['Sec-Fetch-Site', 'cross-site'], ...more] },
      { headers: [cookie, ['Origin', FOREIGN], ...more] },
      { headers: [cookie, ['Origin', 'null'], ...more] },
      { headers: [cookie, ...more] },
    ];
  });
}
