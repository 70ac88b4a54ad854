// The metrics of keys, of signers and of the list of revocations.
import type { LatchkeyEvents } from '@latchkey/core';
import type { Attributes, Meter, ObservableResult } from '@opentelemetry/api';
import { type Ages, createAges } from './ages.ts';

/** The metrics of keys, as listeners of channels. */
export interface KeyMetrics {
  readonly listeners: { readonly [Name in keyof LatchkeyEvents]?: (event: LatchkeyEvents[Name]) => void };
  /** Ends the observing of ages. */
  stop(): void;
}

type Source = Pick<LatchkeyEvents['latchkey:keyset:failed'], 'keyset' | 'issuer'>;

/** How many issuers have a name. A keyset for many tenants may have any number of them. */
const MAX_ISSUERS = 100;
/** What OpenTelemetry calls all other values of a bounded attribute. */
const OTHER = '_OTHER';

/** Makes the metrics of keys. */
export function keyMetrics(meter: Meter): KeyMetrics {
  const counter = (name: string, unit: string, description: string) =>
    meter.createCounter(`latchkey.${name}`, { unit, description });
  const gauge = (name: string, unit: string, description: string) =>
    meter.createObservableGauge(`latchkey.${name}`, { unit, description });

  const refreshes = counter('keyset.refreshes', '{refresh}', 'Times that the keys of an issuer were read.');
  const failures = counter('keyset.failures', '{failure}', 'Times that the keys could not be read.');
  const keysetAge = gauge('keyset.age', 's', 'Time since the keys in use were read.');
  const keysetStale = gauge('keyset.stale', '1', '1 while the keys in use are older than their lifetime.');
  const revocationFailures = counter(
    'revocation.failures',
    '{failure}',
    'Times that the list of revocations could not be read.',
  );
  const revocationOutages = counter(
    'revocation.outages',
    '{outage}',
    'Times that the list of revocations became too old to decide.',
  );
  const signerRefreshes = counter('signer.refreshes', '{refresh}', 'Times that signing keys were read.');
  const signerFailures = counter('signer.failures', '{failure}', 'Times that they could not be read.');
  const signerAge = gauge('signer.age', 's', 'Time since the signing keys in use were read.');
  const signerStale = gauge('signer.stale', '1', '1 while the signing keys are older than their lifetime.');
  const descriptorChanges = counter(
    'descriptor.changes',
    '{change}',
    'Changed descriptors, applied or refused.',
  );

  const issuers = new Set<string>();
  const ofKeyset = ({ keyset, issuer }: Source): Attributes => {
    if (issuer === undefined) return { 'latchkey.keyset': keyset };
    const isNamed = issuers.has(issuer) || issuers.size < MAX_ISSUERS;
    if (isNamed) issuers.add(issuer);
    return { 'latchkey.keyset': keyset, 'latchkey.issuer': isNamed ? issuer : OTHER };
  };
  const keysets = createAges();
  const signers = createAges();
  const observed: readonly (readonly [typeof keysetAge, (result: ObservableResult) => void])[] = [
    [keysetAge, (result) => observeAges(keysets, result)],
    [keysetStale, (result) => observeStale(keysets, result)],
    [signerAge, (result) => observeAges(signers, result)],
    [signerStale, (result) => observeStale(signers, result)],
  ];
  for (const [instrument, observe] of observed) instrument.addCallback(observe);

  return {
    listeners: {
      'latchkey:keyset:refreshed'(event) {
        const attributes = ofKeyset(event);
        refreshes.add(1, attributes);
        keysets.refreshed(attributes);
      },
      'latchkey:keyset:failed': (event) => failures.add(1, ofKeyset(event)),
      'latchkey:keyset:stale': (event) => keysets.stale(ofKeyset(event), event.ageMs),
      'latchkey:revocation:failed': ({ source }) => revocationFailures.add(1, { 'latchkey.source': source }),
      'latchkey:revocation:stale': ({ source }) => revocationOutages.add(1, { 'latchkey.source': source }),
      'latchkey:signer:refreshed'({ signer }) {
        signerRefreshes.add(1, { 'latchkey.signer': signer });
        signers.refreshed({ 'latchkey.signer': signer });
      },
      'latchkey:signer:failed': ({ signer }) => signerFailures.add(1, { 'latchkey.signer': signer }),
      'latchkey:signer:stale': ({ signer, ageMs }) => signers.stale({ 'latchkey.signer': signer }, ageMs),
      'latchkey:descriptor:applied'({ file, keysets: present, removed }) {
        descriptorChanges.add(1, { 'latchkey.outcome': 'applied', 'latchkey.descriptor': file });
        for (const { keyset, issuer } of removed)
          keysets.gone(
            (known) =>
              known['latchkey.keyset'] === keyset &&
              // Tenants have issuers of their own, and their keyset has a template.
              (known['latchkey.issuer'] === issuer || issuer?.includes('{') === true),
          );
        // A keyset may have another place now, and new ones were read before.
        for (const { ageMs, state, ...one } of present)
          if (ageMs !== undefined) keysets.found(ofKeyset(one), ageMs, state === 'stale');
      },
      'latchkey:descriptor:refused': ({ file }) =>
        descriptorChanges.add(1, { 'latchkey.outcome': 'refused', 'latchkey.descriptor': file }),
    },
    stop() {
      for (const [instrument, observe] of observed) instrument.removeCallback(observe);
    },
  };
}

function observeAges(ages: Ages, result: ObservableResult): void {
  for (const { attributes, ageSeconds } of ages.all()) result.observe(ageSeconds, attributes);
}

function observeStale(ages: Ages, result: ObservableResult): void {
  for (const { attributes, isStale } of ages.all()) result.observe(isStale ? 1 : 0, attributes);
}
