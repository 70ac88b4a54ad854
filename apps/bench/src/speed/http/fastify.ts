// The contestants on Fastify: one route behind each plugin, set up as its README says. Nothing is
// measured here.
import jwt, { type FastifyJWTOptions, type TokenOrHeader } from '@fastify/jwt';
import latchkey, { type AuthenticatedRequest } from '@latchkey/fastify';
import fastify, { type FastifyInstance } from 'fastify';
import buildGetJwks from 'get-jwks';
import { ROUTE, SCOPE, type Terms } from '../terms.ts';
import type { Starters } from './starter.ts';

/** The starters, by the contestant's name. */
export const starters: Starters<FastifyInstance> = {
  bare() {
    const app = fastify();
    app.addHook('onRequest', async () => {});
    return app.get(ROUTE, async () => ({ of: 'public' }));
  },

  async latchkey({ issuer, audience, jwksUrl, algorithm }) {
    const app = fastify();
    const keyset = { issuer, jwksUrl, allowHttp: true, allowedAlgorithms: [algorithm] };
    await app.register(latchkey, { keySets: [keyset], audience });
    return app.get(ROUTE, { config: { auth: { claims: { scope: SCOPE } } } }, async (request) => ({
      of: (request as AuthenticatedRequest).auth.subject,
    }));
  },

  // The setup in the README of get-jwks, with the path of our JWK Set, which is not the default.
  'fastify-jwt-jwks'(terms) {
    const { origin, pathname } = new URL(terms.jwksUrl);
    const getJwks = buildGetJwks({ jwksPath: pathname });
    return behind({
      decode: { complete: true },
      secret: (_request: unknown, token: TokenOrHeader) => {
        const { kid, alg } = 'header' in token ? token.header : token;
        return getJwks.getPublicKey({ kid, alg, domain: origin });
      },
      verify: { ...checks(terms), cache: true },
    });
  },

  'fastify-jwt-cached': (terms) =>
    behind({ secret: { public: terms.publicKey }, verify: { ...checks(terms), cache: true } }),

  'fastify-jwt': (terms) => behind({ secret: { public: terms.publicKey }, verify: checks(terms) }),
};

function checks({ issuer, audience, algorithm }: Terms) {
  return { allowedIss: issuer, allowedAud: audience, algorithms: [algorithm] };
}

async function behind(options: FastifyJWTOptions): Promise<FastifyInstance> {
  const app = fastify();
  await app.register(jwt, options);
  app.addHook('onRequest', async (request) => {
    await request.jwtVerify();
  });
  return app.get(ROUTE, async (request) => ({ of: (request.user as { sub: string }).sub }));
}
