// What does here what people look for under another name, for messages about unknown commands.

const CREATE = 'latchkey tokens create, with a key pair of your own; in code createSigner';
const VERIFY = 'latchkey tokens verify';
const INSPECT = 'latchkey tokens inspect';
const IN_SERVICE = 'nothing: Latchkey runs in your service, as its middleware';
const ROTATE = 'rotate() of createSigner, in code';

/** By the name of a group of commands, then by the name that was looked for. */
const OTHERS: { readonly [group: string]: { readonly [name: string]: string } } = {
  latchkey: {
    add: 'latchkey jwks add',
    check: 'latchkey lint for a descriptor, latchkey tokens verify for a token',
    create: 'latchkey jwks add, which makes the descriptor',
    debug: 'latchkey explain, or latchkey inspect for a page',
    decode: INSPECT,
    diff: 'latchkey plan',
    generate: 'latchkey jwks generate',
    init: 'latchkey jwks add, which makes the descriptor',
    issue: CREATE,
    list: 'latchkey jwks list',
    migrate: 'latchkey jwks migrate, or latchkey import for a gateway',
    mint: CREATE,
    remove: 'latchkey jwks remove',
    revocations: 'latchkey revoke',
    rotate: ROTATE,
    run: IN_SERVICE,
    schema: 'descriptor.schema.json in the package @latchkey/core; latchkey jwks add names it in the file',
    serve: IN_SERVICE,
    sign: CREATE,
    start: IN_SERVICE,
    token: 'latchkey tokens',
    validate: 'latchkey lint for a descriptor, latchkey tokens verify for a token',
    verify: VERIFY,
  },
  jwks: {
    create: 'latchkey jwks generate for new keys, latchkey jwks add for those of an issuer',
    init: 'latchkey jwks add, which makes the descriptor',
    rotate: ROTATE,
  },
  keys: { create: 'latchkey jwks generate', rotate: ROTATE },
  secrets: { add: 'latchkey secrets create', generate: 'latchkey jwks generate' },
  tokens: { decode: INSPECT, issue: CREATE, mint: CREATE, sign: CREATE },
};

/** Says what does the work of an unknown command here; undefined if that is not known. */
export function otherName(group: string, name: string): string | undefined {
  const names = Object.hasOwn(OTHERS, group) ? OTHERS[group] : undefined;
  return names !== undefined && Object.hasOwn(names, name) ? names[name] : undefined;
}
