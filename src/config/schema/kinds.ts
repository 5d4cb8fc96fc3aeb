import { parseDuration, parseSize } from '../units.js';

/** How an option's value is parsed and validated. */
export interface Kind {
  readonly name:
    'text' | 'secret' | 'flag' | 'size' | 'duration' | 'count' | 'number' | 'choice' | 'uri' | 'code';
  /** Follows "It must be". */
  readonly rule: string;
  /** The words of a choice. */
  readonly words?: readonly string[];
  /** `undefined`: the value breaks the rule. */
  read(value: unknown): Reading | undefined;
}

export interface Reading {
  readonly value: unknown;
  /** The value was clamped. */
  readonly clamped?: true;
}

/** A string that is not empty. */
export function text(rule = 'a string that is not empty', test: RegExp = /./su): Kind {
  return {
    name: 'text',
    rule,
    read: (value) => (typeof value === 'string' && test.test(value) ? { value } : undefined),
  };
}

/** A string that is never shown in messages, logs and output. */
export const secret: Kind = { ...text(), name: 'secret' };

/** Signing keys: one, or several separated by commas. Parsed to a list. */
export const signingKeys: Kind = {
  ...secret,
  rule: 'a key of 32 to 1,024 characters without commas and blanks, or several, separated by commas',
  read: (value) => {
    const keys: unknown[] = typeof value === 'string' ? value.split(',') : Array.isArray(value) ? value : [];
    const fit = (key: unknown): key is string => typeof key === 'string' && /^[^,\s]{32,1024}$/.test(key);
    return keys.length > 0 && keys.every(fit) ? { value: keys } : undefined;
  },
};

/** A URL or URI without secrets. An invalid value may contain one, and is not shown. */
export function uri(rule: string, test: RegExp): Kind {
  return { ...text(rule, test), name: 'uri' };
}

export const flag: Kind = {
  name: 'flag',
  rule: 'true or false',
  read: (value) => {
    if (typeof value === 'boolean') return { value };
    const word = typeof value === 'string' ? value.trim().toLowerCase() : undefined;
    return word === 'true' || word === 'false' ? { value: word === 'true' } : undefined;
  },
};

interface Bounds {
  readonly least: number;
  readonly most?: number;
  /** Follows "It must be". */
  readonly rule: string;
  /** Values beyond the bounds are clamped with a warning. Default: they are refused. */
  readonly clamp?: true;
}

/** Bytes, or a string such as `8MiB`. */
export function size(bounds: Bounds): Kind {
  return bounded('size', bounds, (value) => units(value, (given) => parseSize('', given)));
}

/** Another kind's values, or `none`. */
export function orNone(kind: Kind): Kind {
  const isNone = (value: unknown): boolean =>
    typeof value === 'string' && value.trim().toLowerCase() === 'none';
  return {
    ...kind,
    rule: `${kind.rule}, or none`,
    read: (value) => (isNone(value) ? { value: 'none' } : kind.read(value)),
  };
}

/** Milliseconds, or a string such as `10s`. */
export function duration(bounds: Bounds): Kind {
  return bounded('duration', bounds, (value) => units(value, (given) => parseDuration('', given)));
}

/** Seconds, or a string such as `1h`; parsed to seconds. */
export function seconds(bounds: Bounds): Kind {
  return bounded('duration', bounds, (value) => {
    const plain = decimal(value);
    return Number.isNaN(plain) ? units(value, (given) => parseDuration('', given)) / 1000 : plain;
  });
}

/** A whole number. */
export function count(bounds: Bounds): Kind {
  return bounded('count', bounds, (value) => {
    const number = decimal(value);
    return Number.isInteger(number) ? number : NaN;
  });
}

export function number(bounds: Bounds): Kind {
  return bounded('number', bounds, decimal);
}

/** One of several words, case-insensitive. `words` maps them to values. */
export function choice(words: Readonly<Record<string, string>>, rule?: string): Kind {
  const byLower = new Map(Object.entries(words).map(([word, value]) => [word.toLowerCase(), value]));
  return {
    name: 'choice',
    rule: rule ?? `one of ${Object.keys(words).join(', ')}`,
    words: Object.keys(words),
    read: (value) => {
      const found = typeof value === 'string' ? byLower.get(value.trim().toLowerCase()) : undefined;
      return found === undefined ? undefined : { value: found };
    },
  };
}

/** A value that can only be set in code. */
export function code(rule: string, test: (value: unknown) => boolean): Kind {
  return { name: 'code', rule, read: (value) => (test(value) ? { value } : undefined) };
}

function bounded(name: Kind['name'], bounds: Bounds, read: (value: unknown) => number): Kind {
  const { least, most = Number.MAX_SAFE_INTEGER, rule, clamp } = bounds;
  return {
    name,
    rule,
    read: (given) => {
      const value = read(given);
      if (Number.isNaN(value)) return undefined;
      if (value >= least && value <= most) return { value };
      return clamp === undefined
        ? undefined
        : { value: Math.min(most, Math.max(least, value)), clamped: true };
    },
  };
}

function units(value: unknown, parse: (given: number | string) => number): number {
  const plain = decimal(value);
  try {
    if (!Number.isNaN(plain)) return parse(plain);
    return typeof value === 'string' ? parse(value) : NaN;
  } catch {
    return NaN;
  }
}

/** Parses a number, which is a string in files and the environment. */
function decimal(value: unknown): number {
  if (typeof value === 'number') return Number.isFinite(value) ? value : NaN;
  if (typeof value !== 'string') return NaN;
  const digits = value.trim().replace(/(?<=\d)_(?=\d)/g, '');
  return /^-?\d+(\.\d+)?$/.test(digits) ? Number(digits) : NaN;
}
