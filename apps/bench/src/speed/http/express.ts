// The contestants on Express: one route behind each middleware, set up as its README says. Nothing
// is measured here.
import { subscribe } from 'node:diagnostics_channel';
import { createRequire } from 'node:module';
import { authenticate, createAuthenticator, requireClaims } from '@latchkey/express';
import express, { type Express, type RequestHandler } from 'express';
import { expressjwt, type Request as JwtRequest } from 'express-jwt';
import jwksRsa from 'jwks-rsa';
import passport from 'passport';
import { ExtractJwt, Strategy } from 'passport-jwt';
import { ROUTE, SCOPE, type Terms } from '../terms.ts';
import type { Starters } from './starter.ts';

interface OAuth2JwtBearer {
  auth(options: Readonly<Record<string, string>>): RequestHandler;
}

// Loaded without its types, because they would add another `auth` to every request of this
// workspace.
const { auth }: OAuth2JwtBearer = createRequire(import.meta.url)('express-oauth2-jwt-bearer');

/** The number of revocations: the default of `revocation.entries`. */
const REVOKED = 1_000_000;
const KINDS = ['jti', 'sid', 'sub', 'client'] as const;

/** The starters, by the contestant's name. */
export const starters: Starters<Express> = {
  bare() {
    const app = express();
    app.use((_request, _response, next) => next());
    return app.get(ROUTE, (_request, response) => void response.json({ of: 'public' }));
  },

  'latchkey-counted'(terms) {
    const counts = new Map<unknown, number>();
    subscribe('latchkey:decision', (event) => {
      const outcome: unknown = Reflect.get(Object(event), 'outcome');
      counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
    });
    return starters.latchkey?.(terms) ?? express();
  },

  latchkey({ issuer, audience, jwksUrl, algorithm }) {
    const app = express();
    const keyset = { issuer, jwksUrl, allowHttp: true, allowedAlgorithms: [algorithm] };
    app.use(authenticate({ keySets: [keyset], audience }));
    return app.get(
      ROUTE,
      requireClaims({ scope: SCOPE }, (request, response) => response.json({ of: request.auth.subject })),
    );
  },

  // The same, with a list of revocations in which no token of the bench is.
  async 'latchkey-revocation'({ issuer, audience, jwksUrl, algorithm }) {
    const app = express();
    const keyset = { issuer, jwksUrl, allowHttp: true, allowedAlgorithms: [algorithm] };
    const authenticator = createAuthenticator({ keySets: [keyset], audience, revocation: {} });
    for (let count = 0; count < REVOKED; count += KINDS.length)
      for (const kind of KINDS) await authenticator.revoke({ issuer, [kind]: `revoked-${count}` });
    app.use(authenticate(authenticator));
    return app.get(
      ROUTE,
      requireClaims({ scope: SCOPE }, (request, response) => response.json({ of: request.auth.subject })),
    );
  },

  'express-jwt'({ issuer, audience, jwksUrl, algorithm }) {
    const app = express();
    const secret = jwksRsa.expressJwtSecret(remoteKeys(jwksUrl));
    app.use(expressjwt({ secret, audience, issuer, algorithms: [algorithm] }));
    return app.get(ROUTE, (request: JwtRequest, response) => void response.json({ of: request.auth?.sub }));
  },

  'express-oauth2-jwt-bearer'({ issuer, audience, jwksUrl, algorithm }) {
    const app = express();
    app.use(auth({ issuer, audience, jwksUri: jwksUrl, tokenSigningAlg: algorithm }));
    return app.get(ROUTE, (request, response) => {
      response.json({
        of: (request as typeof request & { auth: { payload: { sub: string } } }).auth.payload.sub,
      });
    });
  },

  'passport-jwt'({ issuer, audience, jwksUrl, algorithm }) {
    const app = express();
    passport.use(
      new Strategy(
        {
          jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
          secretOrKeyProvider: jwksRsa.passportJwtSecret(remoteKeys(jwksUrl)),
          issuer,
          audience,
          algorithms: [algorithm],
        },
        (payload, done) => done(null, payload),
      ),
    );
    app.use(passport.authenticate('jwt', { session: false }));
    return app.get(
      ROUTE,
      (request, response) => void response.json({ of: (request.user as { sub: string }).sub }),
    );
  },
};

/** The setup in the README of jwks-rsa. */
function remoteKeys(jwksUri: Terms['jwksUrl']) {
  return { jwksUri, cache: true, rateLimit: true, jwksRequestsPerMinute: 5 } as const;
}
