// What core is told of the requests of Express, for the event `latchkey:decision`: the pattern of
// the route, and when a request has been answered.
import { onceResponded, type RequestPlace } from '@latchkey/core/adapter';
import type { Application, Request } from 'express';
import { layersOf, mountPath, type Route, routerOf } from './routes.ts';

export const EXPRESS: RequestPlace<Request> = Object.freeze({
  framework: 'express',
  routeOf: patternOf,
  whenAnswered: ({ res }: Request, done: () => void) => {
    if (res === undefined) done();
    else onceResponded(res, done);
  },
});

// A router does not know where it is mounted, so all routes of an application are found at once.
const patterns = new WeakMap<object, readonly string[]>();

/** The pattern of the route that Express has matched; never the path, which is without bounds. */
function patternOf({ route, app, baseUrl }: Request): string | undefined {
  if (typeof route !== 'object' || route === null) return undefined;
  const found = patterns.get(route) ?? lookUp(route, app);
  // The same router may be mounted at several paths.
  return found.length < 2 ? found[0] : (found.find((one) => one === `${baseUrl}${route.path}`) ?? found[0]);
}

function lookUp(route: Route, app: Application): readonly string[] {
  const found = new Map<object, string[]>();
  collect(routerOf(app), app.path(), [], found);
  for (const [one, ofOne] of found) patterns.set(one, Object.freeze(ofOne));
  const own = found.get(route) ?? [`(mounted)${String(route.path)}`];
  patterns.set(route, own);
  return own;
}

function collect(
  holder: unknown,
  prefix: string,
  inside: readonly unknown[],
  found: Map<object, string[]>,
): void {
  if (inside.includes(holder)) return;
  for (const layer of layersOf(holder) ?? []) {
    const { route, handle } = layer;
    if (route === undefined) collect(handle, prefix + mountPath(layer), [...inside, holder], found);
    else found.set(route, [...(found.get(route) ?? []), `${prefix}${String(route.path)}`]);
  }
}
