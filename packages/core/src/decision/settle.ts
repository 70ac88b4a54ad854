// Handing on what an authenticator says, without a turn of the event loop where nothing is waited for. Decides nothing.
import { asError } from '../errors.ts';
import { recalled } from './verification.ts';

/**
 * Authenticates, conceals, and hands on what comes of it: at once where the token was seen before, which saves a request the turns that
 * a promise takes; otherwise when it is there. For adapters.
 * @param authenticate calls `authenticate` of an authenticator, or of a tree
 * @param conceal calls `conceal`, whatever comes of the other
 * @param take sets what was given on the request, and goes on
 * @returns what `take` gives. If that is a promise that rejects, it does so as it is
 * @throws whatever else any of them throws or rejects with, as an Error: frameworks take some values for leave to go on
 */
export function settle<T, R>(
  authenticate: () => Promise<T>,
  conceal: () => void,
  take: (auth: T) => R,
): R | Promise<Awaited<R>> {
  try {
    const authenticated = authenticate();
    conceal();
    const known = recalled(authenticated);
    return known === undefined ? settleLater(authenticated, take) : take(known as T);
  } catch (error) {
    throw asError(error);
  }
}

async function settleLater<T, R>(authenticated: Promise<T>, take: (auth: T) => R): Promise<Awaited<R>> {
  let taken: R;
  try {
    taken = take(await authenticated);
  } catch (error) {
    throw asError(error);
  }
  return await taken;
}
