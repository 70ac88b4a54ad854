// '@latchkey/express/augment': declares `req.auth` on Express's own Request, for the whole program.
// It has no code. Do not import it where `authenticate` gets a combination of authenticators:
// `req.auth` has the principals by name there.
import type { Principal } from '@latchkey/core';

declare global {
  // biome-ignore lint/style/noNamespace: the types of Express are in this one.
  namespace Express {
    interface Request {
      /** The principal. Undefined before `authenticate`, and for an anonymous request. */
      auth?: Principal | undefined;
    }
  }
}
