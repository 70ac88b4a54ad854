// What several copies of this package in one process share: two versions in one node_modules, or
// the ES modules next to the CommonJS of one version. An object of one copy is then given to
// another one. Its marks are registered symbols, which are the same in all copies. A request
// cannot forge a mark: JSON, headers and forms have no symbols.
import { ConfigError } from '../errors.ts';
import { VERSION } from './version.ts';

/** Which copy made an object. */
interface Copy {
  readonly version: string;
  readonly shape: number;
}

/**
 * Increment it when a marked object changes so that an older copy misreads it. `shape.json` has the
 * form that goes with this number, and `pnpm tables` refuses another form with the same number.
 */
const SHAPE = 5;
const THIS_COPY: Copy = Object.freeze({ version: VERSION, shape: SHAPE });
const COPY: unique symbol = Symbol.for('@latchkey/copy');

/** The mark of an object that other copies of this package may get. */
export interface Marked {
  /** @internal Not in the published types, so that those of two copies are identical. */
  readonly [COPY]?: unknown;
}

/** The mark, to be spread into an object that is being made. It is not listed among its members. */
export const ofThisCopy: Marked = Object.freeze({ [COPY]: THIS_COPY });

/**
 * Refuses an object of a copy whose objects have another form. Accepts an object without a mark.
 * @throws ConfigError with the versions of both copies
 */
export function checkCopy(made: object, path: string): void {
  const { [COPY]: copy }: { readonly [COPY]?: Partial<Copy> } = made;
  if (copy === undefined || copy.shape === SHAPE) return;
  throw new ConfigError(
    path,
    `two copies of @latchkey/core: ${copy.version}, ${VERSION}; remove one with npm dedupe, or see both with npm ls @latchkey/core`,
  );
}

/**
 * Returns the state of this name, which all copies share; the first copy makes it. A name always
 * has the same form of state, whatever the version is: a new form needs a new name.
 */
export function sharedState<T extends object>(name: string, make: () => T): T {
  const key = Symbol.for(`@latchkey/state/${name}`);
  const found: unknown = Reflect.get(globalThis, key);
  if (found !== undefined) return found as T;
  const made = make();
  Object.defineProperty(globalThis, key, { value: made });
  return made;
}
