// The one thing that core asks the environment besides for secrets: whether what is dangerous was meant for this place too.

/** True in production, unless the environment says aloud that private keys may come over plain HTTP there. */
export function refusesHttpKeys(environment: NodeJS.ProcessEnv = process.env): boolean {
  return environment.NODE_ENV === 'production' && environment.LATCHKEY_ALLOW_HTTP_KEYS !== 'true';
}
