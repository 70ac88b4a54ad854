// Attacks by the form of the token: its parts, its base64url, its JSON, its length. The right key
// signs them.
import type { Attack } from '../attack.ts';
import { signingKey } from '../attack.ts';
import type { Bench } from '../bench.ts';

const FORM =
  'Programs read such a token differently, so that one could check what another one does not use. Refuse everything that is not three parts of canonical base64url.';
const JSON_FORM =
  'Programs read such JSON differently, or skip their checks. Refuse everything that is not one JSON object in UTF-8 with each member once.';
const MINTS = 40;

const partsOf = (token: string) => token.split('.') as [string, string, string];

/** A payload of other bytes, signed by the right key. */
const payload = (
  id: Attack['id'],
  title: string,
  write: (json: string, bench: Bench) => string | Uint8Array,
): Attack => ({
  id,
  title,
  advice: JSON_FORM,
  needs: [signingKey],
  forge: async (bench) => {
    const { good, sign } = bench;
    return [await sign(good.header, write(JSON.stringify(good.claims), bench))];
  },
});

/** The member is there twice: with a wrong value, and then as it is. */
const twice = (name: string, wrong: string, title: string): Attack =>
  payload(`T-011/duplicate-${name}`, title, (json) => `{${JSON.stringify(name)}:${wrong},${json.slice(1)}`);

export const ENCODING_ATTACKS: readonly Attack[] = [
  {
    id: 'T-001/parts',
    takes: 'a-token',
    title: 'a good token with a part more, and with a dot more',
    advice: FORM,
    forge: ({ good }) => [`${good.token}.e30`, `${good.token}.`, `.${good.token}`],
  },
  {
    id: 'T-003/padding',
    takes: 'a-token',
    title: 'a good token with "=" at its end',
    advice: FORM,
    forge: ({ good }) => [`${good.token}=`, `${good.token}==`],
  },
  {
    id: 'T-003/alphabet',
    takes: 'a-token',
    title: 'a good token in base64 with "+" and "/"',
    advice: FORM,
    forge: async ({ mint }) => {
      for (let count = 0; count < MINTS; count++) {
        const token = await mint();
        const changed = token.replaceAll('-', '+').replaceAll('_', '/');
        if (changed !== token) return [changed];
      }
      return [];
    },
  },
  {
    id: 'T-004/unused-bits',
    takes: 'a-token',
    title: 'another spelling of the same signature: its unused bits are set',
    advice: FORM,
    forge: ({ good }) => {
      const signature = Buffer.from(partsOf(good.token)[2], 'base64url');
      const last = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
      const at = last.indexOf(good.token.at(-1) ?? '');
      return signature.length % 3 === 0 ? [] : [`${good.token.slice(0, -1)}${last[at + 1]}`];
    },
  },
  {
    id: 'T-005/json',
    takes: 'a-token',
    title: 'a good token in JSON serialization',
    advice: FORM,
    forge: ({ good }) => {
      const [header, body, signature] = partsOf(good.token);
      return [
        JSON.stringify({ protected: header, payload: body, signature }),
        JSON.stringify({ payload: body, signatures: [{ protected: header, signature }] }),
      ];
    },
  },
  {
    id: 'T-006/oversize',
    title: 'a good token that is longer than maxTokenBytes',
    advice: 'Refuse a token that is too long before you decode it, so that no caller can make you do work.',
    forge: async ({ mint, config }) => [await mint({ padding: 'x'.repeat(config.maxTokenBytes) })],
  },
  payload('T-007/utf-8', 'bytes in a claim that are not UTF-8', (json) =>
    Buffer.from(`${json.slice(0, -1)},"name":"\xff\xfe"}`, 'latin1'),
  ),
  payload('T-008/byte-order-mark', 'a byte order mark before the claims', (json) => `\ufeff${json}`),
  payload('T-010/list', 'claims in a list', (json) => `[${json}]`),
  payload('T-010/null', 'null in place of claims', () => 'null'),
  payload('T-010/text', 'a text in place of claims', (json) => JSON.stringify(json)),
  payload('T-010/not-json', 'claims with text after them', (json) => `${json} x`),
  {
    id: 'T-011/duplicate-alg',
    title: 'alg twice in the header: "none", and then the right one',
    advice: JSON_FORM,
    needs: [signingKey],
    forge: async ({ good, sign }) => {
      const json = JSON.stringify(good.header).slice(1);
      return [
        await sign(`{"alg":"none",${json}`, good.claims),
        await sign(`{"\\u0061lg":"none",${json}`, good.claims),
      ];
    },
  },
  twice('exp', '1', 'exp twice: past, and then in the future'),
  twice('iss', '"https://evil.example"', 'iss twice: another issuer, and then the right one'),
  twice('aud', '"https://evil.example"', 'aud twice: another audience, and then the right one'),
  payload(
    'T-011/duplicate-escaped',
    'sub twice, once with an escaped letter',
    (json) => `{"\\u0073ub":"admin",${json.slice(1)}`,
  ),
];
