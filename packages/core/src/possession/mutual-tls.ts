// Mutual TLS (RFC 8705 §3): judges that the client of a request has the certificate to which the
// token is bound.
import { refusalIn } from '../errors.ts';
import type { JsonValue } from '../values/json.ts';
import { createCertificateFinder } from './client-certificate.ts';
import { type KeyBinding, type ProofKind, THUMBPRINT } from './kind.ts';
import type { MutualTlsSettings } from './mutual-tls-options.ts';
import { mismatch } from './possession.ts';

/** RFC 8705 §3.1: `x5t#S256` is the thumbprint of a certificate. */
export const mutualTlsBinding: KeyBinding = Object.freeze({
  member: 'x5t#S256',
  isConfirmation: (value: JsonValue) => typeof value === 'string' && THUMBPRINT.test(value),
});

/** Makes the kind of proof. */
export function createMutualTls(settings: MutualTlsSettings): ProofKind {
  const find = createCertificateFinder(settings);
  return Object.freeze<ProofKind>({
    ...mutualTlsBinding,
    thing: 'certificate',
    scheme: undefined,
    isRequired: settings.isRequired,
    // Such a token comes as a bearer token.
    isPresented: () => false,
    prove({ request, confirmation, note }) {
      try {
        const thumbprint = find(request);
        const refusal =
          thumbprint === undefined
            ? mismatch('the token is bound to a certificate, and the client has none')
            : undefined;
        note?.('the certificate of the client', refusal);
        if (refusal !== undefined) return refusal;
        const other =
          thumbprint === confirmation
            ? undefined
            : mismatch('the client has another certificate than the token');
        note?.('x5t#S256', other);
        return other;
      } catch (error) {
        const refusal = refusalIn(error);
        note?.('the certificate of the client', refusal);
        return refusal;
      }
    },
  });
}
