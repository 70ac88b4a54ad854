// Every place where core calls something outside of it: where that is, and which steps of the
// scenarios are made there. boundaries.test.ts compares it with the code and with runs.

/** A place where core calls something outside of it. */
interface Place {
  /** A file of `src`. */
  readonly file: string;
  /** The call, as it is written there. */
  readonly call: string;
  /** The names of its steps end with, or are, one of these. */
  readonly steps: readonly string[];
}

/** The places that scenarios cut. */
export const CUT: readonly Place[] = [
  {
    // Every call over the network: discovery, keys, remote validation, token endpoints.
    file: 'net/connections.ts',
    call: 'return sender(chosen);',
    steps: ['configuration', 'oauth-authorization-server', '/jwks', '/validate', '/introspect', '/token'],
  },
  { file: 'net/https.ts', call: 'for await (const chunk of response.body', steps: ['body'] },
  { file: 'secrets/read.ts', call: 'store.read(reference, inner)', steps: ['read of the secret store'] },
  {
    file: 'secrets/read.ts',
    call: 'store.watch?.(reference, changed)',
    steps: ['watch of the secret store'],
  },
  { file: 'signing/rotation.ts', call: 'update(reference, rewrite, inner)', steps: ['update of the store'] },
  { file: 'signing/rotation.ts', call: 'write(reference, value, signal)', steps: ['write of the store'] },
  { file: 'signing/rotation.ts', call: 'await generateJwk(', steps: ['making of a key'] },
  {
    file: 'groups/groups.ts',
    call: 'resolver.resolve(subject, signal)',
    steps: ['resolve of the directory'],
  },
  { file: 'groups/groups.ts', call: 'resolver.close?.()', steps: ['close of the directory'] },
  { file: 'possession/replay-guard.ts', call: 'store.use(id, untilMs)', steps: ['use of the replay store'] },
  { file: 'revocation/following.ts', call: 'feed.follow(sink)', steps: ['follow of the feed'] },
  { file: 'revocation/list.ts', call: 'feed.publish(revocation)', steps: ['publish of the feed'] },
  { file: 'revocation/list.ts', call: 'take(all,', steps: ['read of the feed'] },
  {
    file: 'keysets/tenant-checks.ts',
    call: 'ask(template.tenantOf(issuer)',
    steps: ['the function of the application', 'the function acme', 'the function beta'],
  },
  { file: 'keysets/keyset-for.ts', call: 'find(issuer)', steps: ['the function of the application'] },
  {
    file: 'exchange/client-authentication.ts',
    call: 'await signer.sign(claims)',
    steps: ['sign of the client'],
  },
  { file: 'exchange/grants.ts', call: 'async () => find()', steps: ['the token of the actor'] },
  { file: 'notices/receiver.ts', call: 'settings.onEvent?.(event)', steps: ['onEvent'] },
  { file: 'descriptor/follow.ts', call: 'readDescriptorFile(file)', steps: ['read of the descriptor'] },
];

/** The places that no scenario cuts, and the tests that do. Paths are in `test`. */
export const ELSEWHERE: readonly {
  readonly file: string;
  readonly call: string;
  readonly test: string;
}[] = [
  // Sockets, TLS and proxies: real ones, since a replaced client has none of them.
  { file: 'net/node-http.ts', call: 'make(withSignal)', test: 'net/node-http.test.ts' },
  { file: 'net/tunnel.ts', call: 'connect(', test: 'net/tunnel.test.ts' },
  { file: 'net/connections.ts', call: 'lookupPublic(hostname', test: 'net/https.test.ts' },
  // Files, which Node reads and watches.
  { file: 'secrets/directory.ts', call: 'await open(path', test: 'secrets/store.test.ts' },
  { file: 'secrets/directory.ts', call: 'watch(path', test: 'secrets/store.test.ts' },
  { file: 'secrets/lock-file.ts', call: 'await acquire(', test: 'signing/rotation-processes.test.ts' },
  { file: 'secrets/write-file.ts', call: 'await ', test: 'secrets/directory-write.test.ts' },
  { file: 'revocation/file-feed.ts', call: 'readSmallFile(path', test: 'revocation/file-feed.test.ts' },
  { file: 'revocation/file-feed.ts', call: 'withLockFile(', test: 'revocation/file-feed.test.ts' },
  {
    file: 'signing/service-token-file.ts',
    call: 'readSecretFile(file',
    test: 'signing/service-token-file.test.ts',
  },
  { file: 'own-keys/auth-directory.ts', call: 'await rename(draft', test: 'own-keys/auth-directory.test.ts' },
  // Code of the application that has to answer at once: a promise is a fault.
  { file: 'claims/schema.ts', call: 'standard.validate(value)', test: 'claims/schema.test.ts' },
  // It cannot change a decision, and nothing waits for it.
  { file: 'decision/refusal-hook.ts', call: 'hook(refusal, request)', test: 'adapter/on-refusal.test.ts' },
  { file: 'revocation/following.ts', call: 'last.close()', test: 'revocation/feed.test.ts' },
  { file: 'descriptor/follow.ts', call: 'directory?.close?.()', test: 'descriptor/follow.test.ts' },
];
