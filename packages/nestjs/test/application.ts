// Nest applications for tests. Decorators are called as functions, because the tests run from
// source with types stripped.
import {
  type ExecutionContext,
  type INestApplication,
  Module,
  type ModuleMetadata,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';

/** Nest's platforms, by name. */
export const platforms = ['express', 'fastify'] as const;

/** Applies decorators to a method, like lines above it. */
export function onMethod<T extends object>(
  type: Type<T>,
  name: keyof T & string,
  ...decorators: readonly MethodDecorator[]
): void {
  const descriptor = Object.getOwnPropertyDescriptor(type.prototype, name);
  if (descriptor === undefined) throw new Error(`no method ${name}`);
  for (const decorator of decorators.toReversed()) decorator(type.prototype, name, descriptor);
}

/** Makes a module class. */
export function moduleOf(metadata: ModuleMetadata): Type {
  class TestModule {}
  Module(metadata)(TestModule);
  return TestModule;
}

/** Creates an application that has not been started. */
export async function create(
  metadata: ModuleMetadata,
  platform: (typeof platforms)[number] = 'express',
): Promise<INestApplication> {
  const settings = { logger: false, abortOnError: false } as const;
  return platform === 'express'
    ? NestFactory.create(moduleOf(metadata), settings)
    : NestFactory.create(moduleOf(metadata), new FastifyAdapter(), settings);
}

/** Starts an application on a free port. */
export async function listen(app: INestApplication): Promise<string> {
  await app.listen(0, '127.0.0.1');
  return app.getUrl();
}

/** An execution context of any kind, like those of Nest. */
export function contextOf(
  type: string,
  args: readonly unknown[],
  target: Type = class {},
  handler: () => void = () => {},
): ExecutionContext {
  const at = <T>(index: number) => args[index] as T;
  return {
    getType: <T extends string>() => type as T,
    getClass: <T>() => target as Type<T>,
    getHandler: () => handler,
    getArgs: <T extends unknown[]>() => [...args] as T,
    getArgByIndex: at,
    switchToHttp: () => ({
      getRequest: <T>() => at<T>(0),
      getResponse: <T>() => at<T>(1),
      getNext: <T>() => at<T>(2),
    }),
    switchToRpc: () => ({ getData: <T>() => at<T>(0), getContext: <T>() => at<T>(1) }),
    switchToWs: () => ({
      getClient: <T>() => at<T>(0),
      getData: <T>() => at<T>(1),
      getPattern: () => 'test',
    }),
  };
}
