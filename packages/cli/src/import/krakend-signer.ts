// Imports a KrakenD signer as the block `signing`: the fields of a reply that are signed, and the
// key.
// Same behaviour: key, algorithm, fields, form, and a missing field is skipped. Safer: a listed
// field that is not an object fails the reply, and claims without exp are not signed.
import { type Draft, noteLeft, quoted } from './draft.ts';
import { type Made, noteVault, putMade, readAllowHttp, readTls, type Say, urlOf } from './krakend-source.ts';
import { slugOf } from './secret-names.ts';
import type { SourceNode } from './source.ts';

/** Adds a signer to a draft. @throws Failure with the place */
export function putSigner(draft: Draft, node: SourceNode): void {
  const made: Made = new Map();
  const say: Say = (kind, member, from, text) =>
    draft.note(kind, member === '' ? ['signing'] : ['signing', member], from, text);
  const need = (...names: [string, ...string[]]): SourceNode =>
    node.oneOf(...names) ?? node.refuse(`expected ${names[0]}`);
  const keys = need('keys_to_sign', 'keys-to-sign');
  made.set('keysToSign', [keys.texts(), keys]);
  const alg = need('alg');
  made.set('alg', [alg.text(), alg]);
  const kid = need('kid');
  made.set('kid', [kid.text(), kid]);
  const url = urlOf(node);
  const file = node.member('jwk_local_path');
  if (file !== undefined) {
    if (url !== undefined) file.refuse(`conflicts with ${url.path}; keep the one with the keys`);
    const name = slugOf(file.text());
    made.set('secret', [{ name, key: 'jwks.json' }, file]);
    say(
      'check',
      'secret',
      file,
      `keys are in ${quoted(file.text())}: put the JWK Set into secrets/${name}/jwks.json, readable only by the service (0600)`,
    );
    node.member('disable_jwk_security');
  } else {
    const from = url ?? node.refuse('expected jwk_url or jwk_local_path');
    made.set('jwkUrl', [from.text(), from]);
    say('check', 'jwkUrl', from, 'has private keys; use it only on your own machine, or better use a secret');
    readAllowHttp(node, url, made, say);
    readTls(node, made, say);
  }
  const full = node.member('full');
  if (full?.boolean() === true) made.set('full', [true, full]);
  const typ = node.member('typ');
  if (typ !== undefined) made.set('typ', [typ.text(), typ]);
  noteVault(node, say);
  putMade(draft, ['signing'], made);
  say(
    'safer',
    'keysToSign',
    keys,
    'a field that is not an object fails the reply; KrakenD sent it unsigned; claims without exp are refused, unless requireExp: false, and so are claims that last longer than 366d, which maxLifetime extends',
  );
  noteLeft(draft, ['signing'], node, 'a KrakenD signer');
}
