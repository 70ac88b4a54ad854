// Every name that this package exports. A new one is a decision: it is hard to take back.
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import * as adapter from '../src/adapter/index.ts';
import * as core from '../src/index.ts';
import * as ownKeys from '../src/own-keys/index.ts';
import * as signing from '../src/signing/index.ts';
import * as tools from '../src/tools/index.ts';

it('the root exports these values', () => {
  expect(Object.keys(core).sort()).toEqual([
    'AuthError',
    'ConfigError',
    'allOf',
    'anyOf',
    'at',
    'authenticateUpgrade',
    'authorize',
    'createAuthenticator',
    'createDirectoryStore',
    'createEnvironmentStore',
    'createMemoryStore',
    'exactly',
    'fromRequest',
    'isAuthError',
    'loadDescriptor',
    'noneOf',
    'optional',
    'pattern',
    'present',
    'refusalOf',
    'requireAll',
    'requireAny',
    'route',
    'signedClaims',
    'whenExpired',
  ]);
});

it('the root exports these types', () => {
  const index = readFileSync(new URL('../src/index.ts', import.meta.url), 'utf8');
  const exported = [...index.matchAll(/^export type \{([^}]*)\}/gm)].flatMap(([, names = '']) =>
    names.match(/\w+/g),
  );
  // Nothing else is exported there, and no type between values.
  expect(index.match(/^export (?!(type )?\{)|^export \{[^}]*\btype\b|\bas\b/gm)).toBeNull();
  expect(exported.sort()).toEqual([
    'AcceptedUpgrade',
    'AlgorithmName',
    'AllOfRule',
    'AnyOfRule',
    'AuthErrorCode',
    'AuthErrorCodes',
    'AuthenticationMode',
    'Authenticator',
    'AuthenticatorOptions',
    'AuthenticatorReport',
    'Carrier',
    'Claims',
    'ClaimsOf',
    'Clock',
    'CombinedAuthenticator',
    'CompiledRules',
    'DescribedAuthenticator',
    'DescribedAuthenticatorReport',
    'DescriptorOptions',
    'DescriptorReport',
    'Duration',
    'ExactlyRule',
    'ExplainedCheck',
    'Explanation',
    'FilePlace',
    'FromRequestRule',
    'GroupResolver',
    'GroupSourceReport',
    'GroupSubject',
    'GroupsOptions',
    'JsonObject',
    'JsonValue',
    'JwkSet',
    'KeysetOptions',
    'KeysetReport',
    'LatchkeyEvents',
    'LoadedDescriptor',
    'MemoryStore',
    'NamedRoute',
    'NoneOfRule',
    'OptionalRule',
    'PathRule',
    'PatternRule',
    'PresentRule',
    'Principal',
    'RemoteOptions',
    'RemoteReport',
    'RouteAccess',
    'RouteReport',
    'RoutesOptions',
    'Rule',
    'Rules',
    'SecretReference',
    'SecretStore',
    'SignedClaimsOf',
    'TlsOptions',
    'TokenSource',
    'UpgradeAuthenticator',
  ]);
});

it('./signing exports these values', () => {
  expect(Object.keys(signing).sort()).toEqual([
    'createCapabilityIssuer',
    'createCapabilityVerifier',
    'createServiceFetch',
    'createSigner',
    'fromKrakend',
    'generateJwk',
    'publicJwk',
  ]);
});

it('./adapter exports these values', () => {
  expect(Object.keys(adapter).sort()).toEqual([
    'accessWith',
    'argument',
    'asError',
    'authErrorCodes',
    'authenticateMarks',
    'authorizeRequest',
    'authorized',
    'checkCombinedAccess',
    'checkOnce',
    'checkRouteName',
    'checkRoutes',
    'claimNames',
    'compileAccess',
    'compileRules',
    'concealToken',
    'countRoutes',
    'createResponseSigner',
    'decide',
    'durationFrom',
    'foldCase',
    'handlerIn',
    'holdReply',
    'inconclusive',
    'isPrincipal',
    'isPromise',
    'keysPublisher',
    'loadKeys',
    'notAuthenticated',
    'optionIn',
    'prepareAuthentication',
    'protocolOf',
    'readBoolean',
    'readChoice',
    'readList',
    'readObject',
    'readSmallFile',
    'readStore',
    'readText',
    'readTls',
    'refuseRequest',
    'reportRoute',
    'requestViewOf',
    'toAuthenticator',
    'toResponse',
    'warn',
    'whenDecided',
    'whole',
    'withDeadline',
  ]);
});

it('./tools exports these values', () => {
  expect(Object.keys(tools).sort()).toEqual([
    'MAX_SECRET_BYTES',
    'addKey',
    'addKeyset',
    'changeDescriptor',
    'checkKeyPair',
    'checkSymmetricSecret',
    'codeOf',
    'descriptorSchema',
    'extractPublicKey',
    'finishMigration',
    'inspectKeyset',
    'interpolate',
    'lintDescriptor',
    'optionTables',
    'parseDescriptor',
    'plain',
    'planChange',
    'planMigration',
    'readDescriptorFile',
    'readKeyset',
    'readLegacyKey',
    'readLegacyKeys',
    'readOptions',
    'readSigning',
    'readUnverifiedToken',
    'removeKeys',
    'removeKeyset',
    'ruleFormRows',
    'setAudience',
    'updateKeyset',
    'writeDescriptor',
  ]);
});

it('./own-keys exports these values', () => {
  expect(Object.keys(ownKeys).sort()).toEqual([
    'createUserToken',
    'initAuthDirectory',
    'loadEnvironmentStart',
    'openAuthDirectory',
    'userTokenFile',
  ]);
});
