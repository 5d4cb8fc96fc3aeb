import { addExtension } from 'msgpackr';

/**
 * Marks: how MessagePack carries what it would otherwise not bring back as it was. `-0`, strings with half a surrogate
 * pair, objects without a prototype, and objects with a name that msgpackr stumbles over.
 *
 * They are put in before a value is encoded, and turn into what they mean while it is decoded.
 */
class Mark {
  constructor(
    readonly kind: number,
    readonly content: unknown,
  ) {}
}

const Kind = { NegativeZero: 0, Utf16: 1, Object: 2 } as const;

/** Its type is part of the bytes of state: it never changes. */
export const markType = 0x4d;
/** How deep an object with a mark is in MessagePack: the extension, its content, and the values. */
export const markDepth = 3;

addExtension({
  Class: Mark,
  type: markType,
  write: ({ kind, content }: Mark) => [kind, content],
  read: (mark: unknown) => (Array.isArray(mark) ? unmark(mark[0], mark[1]) : refuse()),
});

/** The value as MessagePack can write it; what needs no mark is as it was. A copy, if it is an object. */
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
 * Whether msgpackr may not meet this name in an object: it writes another (`__proto__`), takes it for the class
 * (`constructor`), or for its own notes, which spoils all it writes from then on (`__keys__`).
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
