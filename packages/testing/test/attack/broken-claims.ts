// Services with one hole each for the form of a token, or for its claims.
import type { Broken } from './broken-keys.ts';
import { isTime, type Members, now, parse, SOUND, tokenBy } from './sound.ts';

const AUDIENCES = ['missing', 'empty', 'shape'].map((name) => `T-054/aud-${name}`);
const LIKE_AUDIENCES = ['other', 'prefix', 'part', 'case'].map((name) => `T-055/aud-${name}`);

export const BROKEN_CLAIMS: readonly Broken[] = [
  {
    name: 'decodes base64 as Node does',
    steps: {
      tokenOf: (request) => tokenBy(/^Bearer ([\w+/-]+\.[\w+/-]+\.[\w+/-]+=*)$/, request),
      bytesOf: (part) => Buffer.from(part, 'base64url'),
      isSigned: (parsed, key) => SOUND.isSigned({ ...parsed, input: urlSafe(parsed.input) }, key),
    },
    letIn: ['T-003/padding', 'T-003/alphabet', 'T-004/unused-bits'],
  },
  {
    name: 'reads JSON as JavaScript does',
    steps: { jsonOf: (bytes) => parse(bytes.toString()) as Members | undefined },
    letIn: [
      'T-007/utf-8',
      ...['alg', 'exp', 'iss', 'aud', 'escaped'].map((name) => `T-011/duplicate-${name}`),
    ],
    broke: ['T-010/null'],
  },
  {
    name: 'has no limit for the length of a token',
    steps: {
      tokenOf: ({ rawHeaders, headers }) =>
        rawHeaders.filter((name) => name === 'Authorization').length === 1
          ? /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/.exec(headers.authorization ?? '')?.[1]
          : undefined,
    },
    letIn: ['T-006/oversize'],
  },
  {
    name: 'does not check the audience',
    steps: { audiencePasses: () => true },
    letIn: [...AUDIENCES, ...LIKE_AUDIENCES],
  },
  {
    name: 'checks the audience if there is one',
    steps: { audiencePasses: (claims, trust) => !claims.aud || SOUND.audiencePasses(claims, trust) },
    letIn: ['T-054/aud-missing', 'T-054/aud-empty'],
  },
  {
    name: 'does not look at exp',
    steps: { timesPass: (claims) => SOUND.timesPass({ ...claims, exp: now() + 60 }) },
    letIn: ['T-057/exp-missing', 'T-057/exp-text', 'T-058/exp-past'],
  },
  {
    name: 'takes a text as exp',
    steps: {
      timesPass: (claims) =>
        SOUND.timesPass({ ...claims, exp: typeof claims.exp === 'string' ? Number(claims.exp) : claims.exp }),
    },
    letIn: ['T-057/exp-text'],
  },
  {
    name: 'does not look at nbf and iat',
    steps: { timesPass: ({ exp }) => isTime(exp) && exp + 5 > now() },
    letIn: ['T-059/nbf-future', 'T-059/iat-future'],
  },
  {
    name: 'takes a token that is bound to its sender from every sender',
    steps: { bindingPasses: () => true },
    letIn: ['T-072/no-proof', 'T-072/no-certificate'],
  },
  {
    name: 'checks whether the scope includes the right one',
    steps: { rulesPass: ({ scope }) => String(scope).includes('read') },
    letIn: ['T-063/claim-lookalike'],
  },
  {
    name: 'checks how the scope ends',
    steps: { rulesPass: ({ scope }) => String(scope).endsWith('read') },
    letIn: ['T-063/claim-lookalike'],
  },
  {
    name: 'compares the scope in small letters',
    steps: { rulesPass: ({ scope }) => String(scope).toLowerCase().split(' ').includes('read') },
    letIn: ['T-063/claim-lookalike'],
  },
  {
    name: 'checks the scope if there is one',
    steps: { rulesPass: (claims) => claims.scope == null || SOUND.rulesPass(claims) },
    letIn: ['T-065/claim-missing', 'T-065/claim-null', 'T-014/claim-inherited'],
  },
  {
    name: 'copies claims with Object.assign',
    steps: {
      rulesPass: (claims) => {
        const { scope } = Object.assign({}, claims) as Members;
        return typeof scope === 'string' && scope.split(' ').includes('read');
      },
    },
    letIn: ['T-014/claim-inherited'],
  },
];

function urlSafe(input: string): string {
  return input.replaceAll('+', '-').replaceAll('/', '_');
}
