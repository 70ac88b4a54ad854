// For tables of tests, where undefined says that an option, or an argument, is left out.

type Defined<T> = {
  [Name in keyof T as undefined extends T[Name] ? never : Name]: T[Name];
} & { [Name in keyof T as undefined extends T[Name] ? Name : never]?: Exclude<T[Name], undefined> };

/** An object without its members that are undefined. */
export function defined<const T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as Defined<T>;
}

/** Arguments for a call: one, or none for undefined. */
export function given<T>(value: T | undefined): [] | [T] {
  return value === undefined ? [] : [value];
}
