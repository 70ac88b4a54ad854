// Decorators without their call, as TypeScript applies them: each is refused where it is written.
import { expect, it } from 'vitest';
import { Auth, Authenticate, ConfigError, Public, RequireClaims, SignResponse } from '../src/index.ts';

class Orders {
  list() {}
}

const DECORATORS: readonly (readonly [name: string, decorator: unknown, call: string])[] = [
  ['@Public', Public, '@Public()'],
  ['@Auth', Auth, '@Auth()'],
  ['@RequireClaims', RequireClaims, "@RequireClaims({ roles: 'admin' })"],
  ['@Authenticate', Authenticate, '@Authenticate({ claims, issuers, mode })'],
  ['@SignResponse', SignResponse, '@SignResponse({ signer, keysToSign })'],
];

const applied = (decorator: unknown, on: readonly unknown[]) => () =>
  Reflect.apply(decorator as () => unknown, undefined, on);

it.each(DECORATORS)('%s without a call', (name, decorator, call) => {
  const descriptor = Object.getOwnPropertyDescriptor(Orders.prototype, 'list');
  for (const [on, place] of [
    [[Orders], 'Orders'],
    [[Orders.prototype, 'list', descriptor], 'Orders.list'],
    [[Orders.prototype, 'list', 0], 'Orders.list'],
    [[Orders, 'made', descriptor], 'Orders.made'],
  ] as const)
    expect(applied(decorator, on)).toThrow(
      new ConfigError(name, `expected a call, got none on ${place}; write ${call}`),
    );
});

it.each<readonly [string, unknown, readonly unknown[], string]>([
  ['@Public', Public, [true], 'expected no argument, got 1; write @Public()'],
  ['@Auth', Auth, [{ sub: 'x' }], 'expected no argument, got 1; write @Auth()'],
  [
    '@RequireClaims',
    RequireClaims,
    [{ scope: 'read' }, { roles: 'admin' }],
    "expected one argument, got 2; write @RequireClaims({ roles: 'admin' })",
  ],
])('%s with an argument too many', (name, decorator, given, problem) => {
  expect(applied(decorator, given)).toThrow(new ConfigError(name, problem));
});
