// Imports Nest's GraphQL packages for tests. Their types need packages that are not installed, so
// the compiler must not load them: the import uses names that it cannot resolve.
import type { DynamicModule, Type } from '@nestjs/common';

type OnMethod = (name: string) => MethodDecorator;

interface Graphql {
  readonly GraphQLModule: { forRoot(options: object): DynamicModule };
  readonly Resolver: (type?: string | object) => ClassDecorator;
  readonly Query: OnMethod;
  readonly Mutation: OnMethod;
  readonly Subscription: OnMethod;
  readonly ResolveField: OnMethod;
}

const load = (name: string): Promise<unknown> => import(name);

export const { GraphQLModule, Resolver, Query, Mutation, Subscription, ResolveField } = (await load(
  '@nestjs/graphql',
)) as Graphql;
export const { ApolloDriver } = (await load('@nestjs/apollo')) as { readonly ApolloDriver: Type };
export const { MercuriusDriver } = (await load('@nestjs/mercurius')) as { readonly MercuriusDriver: Type };
