// What editors say about a descriptor: each message is at the member that is wrong.
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, it } from 'vitest';

const schema = JSON.parse(readFileSync(new URL('../../descriptor.schema.json', import.meta.url), 'utf8'));
const validate = new Ajv2020({ allErrors: true, strict: false }).compile(schema);

const KEYSET = { issuer: 'https://a.example', jwksUrl: 'https://a.example/jwks' };

it.each<[what: string, options: object, messages: readonly string[]]>([
  [
    'two sources',
    { keySets: [{ ...KEYSET, useOidcDiscovery: true }] },
    [
      '/service/jwt/keySets/0/jwksUrl boolean schema is false',
      '/service/jwt/keySets/0/useOidcDiscovery boolean schema is false',
    ],
  ],
  [
    'an unknown option of a keyset',
    { keySets: [{ ...KEYSET, jwksUri: 'https://a.example/jwks' }] },
    ['/service/jwt/keySets/0 must NOT have additional properties: jwksUri'],
  ],
  [
    'an unknown option',
    { clockSkeww: '5s' },
    ['/service/jwt must NOT have additional properties: clockSkeww'],
  ],
  [
    'two places of a token',
    { tokenFrom: [{ header: 'Authorization', cookie: 'token' }] },
    [
      '/service/jwt/tokenFrom/0/cookie boolean schema is false',
      '/service/jwt/tokenFrom/0/header boolean schema is false',
    ],
  ],
  [
    'two CAs',
    { keySets: [{ ...KEYSET, tls: { ca: { file: 'ca.pem', pem: 'PEM' } } }] },
    [
      '/service/jwt/keySets/0/tls/ca/file boolean schema is false',
      '/service/jwt/keySets/0/tls/ca/pem boolean schema is false',
    ],
  ],
])('an editor says where the fault is: %s', (_, options, messages) => {
  validate({ service: { jwt: { audience: 'api', keySets: [KEYSET], ...options } } });
  const said = (validate.errors ?? []).map(({ instancePath, message, params }) => {
    const name = params.additionalProperty === undefined ? '' : `: ${params.additionalProperty}`;
    return `${instancePath} ${message}${name}`;
  });
  expect(said.toSorted()).toEqual(messages);
});
