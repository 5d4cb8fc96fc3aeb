import { addExtension } from 'msgpackr';

/**
 * Marks carry values that MessagePack would otherwise not preserve: `-0`, strings with lone surrogates, objects
 * without a prototype, and objects with names that msgpackr mishandles.
 *
 * They are inserted before a value is encoded, and replaced while it is decoded.
 */
class Mark {
  constructor(
    readonly kind: number,
    readonly content: unknown,
  ) {}
}

const Kind = { NegativeZero: 0, Utf16: 1, Object: 2 } as const;

/** Part of the format of state: must never change. */
export const markType = 0x4d;
/** Nesting that a marked object adds in MessagePack: the extension, its content, and the values. */
export const markDepth = 3;

addExtension({
  Class: Mark,
  type: markType,
  write: ({ kind, content }: Mark) => [kind, content],
  read: (mark: unknown) => (Array.isArray(mark) ? unmark(mark[0], mark[1]) : refuse()),
});

/** Whether MessagePack does not preserve this primitive without a mark. */
export function needsMark(value: string | number): boolean {
  return typeof value === 'string' ? !value.isWellFormed() : Object.is(value, -0);
}

/** A value that MessagePack preserves, with marks where needed. Arrays, maps, sets and plain objects are copied. */
export function mark(value: unknown): unknown {
  if (typeof value === 'string') return markText(value);
  if (typeof value === 'number') return Object.is(value, -0) ? new Mark(Kind.NegativeZero, 0) : value;
  if (typeof value !== 'object' || value === null) return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Array.prototype) return (value as unknown[]).map(mark);
  if (prototype === Map.prototype)
    return new Map(Array.from(value as Map<unknown, unknown>, ([k, v]) => [mark(k), mark(v)]));
  if (prototype === Set.prototype) return new Set(Array.from(value as Set<unknown>, mark));
  if (prototype !== Object.prototype && prototype !== null) return value;
  const names = Object.keys(value);
  const values = names.map((name) => mark((value as Record<string, unknown>)[name]));
  if (prototype === null || names.some(isAwkward))
    return new Mark(Kind.Object, [prototype === null, names.map(markText), values]);
  return Object.fromEntries(names.map((name, i) => [name, values[i]]));
}

/**
 * Whether msgpackr mishandles this property name: it writes another one (`__proto__`), takes it for the class
 * (`constructor`), or for its own bookkeeping, which corrupts everything it writes afterwards (`__keys__`).
 */
export function isAwkward(name: string): boolean {
  return name === '__proto__' || name === 'constructor' || name === '__keys__' || !name.isWellFormed();
}

function markText(text: string): unknown {
  return text.isWellFormed() ? text : new Mark(Kind.Utf16, Buffer.from(text, 'utf16le'));
}

/** Errors: `RangeError`. */
function unmark(kind: unknown, content: unknown): unknown {
  if (kind === Kind.NegativeZero) return -0;
  if (kind === Kind.Utf16 && content instanceof Uint8Array) return Buffer.from(content).toString('utf16le');
  return kind === Kind.Object && Array.isArray(content) ? objectOf(content) : refuse();
}

function objectOf([bare, names, values]: readonly unknown[]): object {
  if (!Array.isArray(names) || !Array.isArray(values) || names.length !== values.length) return refuse();
  const object: object = bare === true ? (Object.create(null) as object) : {};
  names.forEach((name: unknown, i) => {
    if (typeof name !== 'string') refuse();
    // An assignment to `__proto__` would set the prototype.
    const value: unknown = values[i];
    Object.defineProperty(object, name, {
      value,
      enumerable: true,
      writable: true,
      configurable: true,
    });
  });
  return object;
}

function refuse(): never {
  throw new RangeError('a mark is not what was written');
}
