/**
 * Logical types, by the rules of `typedValues.ts`. An unknown one, and one that its underlying type cannot have, is read as the
 * underlying type, as the specification asks.
 */
import avsc from 'avsc';
import { midnightOf, nanosOfTime, nanosOfTimestamp } from '../isoText.js';
import { JsonNumber } from '../jsonNumbers.js';
import {
  BadValue,
  date,
  decimal,
  nanos,
  timestamp,
  timestampText,
  timeText,
  unscaled,
  type Dates,
  type Unit,
} from '../typedValues.js';

type Schema = Readonly<Record<string, unknown>>;
export type LogicalClass = new (schema: avsc.Schema, opts?: unknown) => avsc.types.LogicalType;

/** How values of one logical type are read and written. */
interface Conversion {
  /** Equal ones are read as each other. */
  readonly kind: string;
  read(value: unknown): unknown;
  /** `undefined` if the type cannot have the value. */
  write(value: unknown): unknown;
}

/** Longer decimals are damage, or an attack: their digits take quadratic time. */
const mostDecimalBytes = 512;
const mostDigits = 1000;
const dayMillis = 86_400_000;
const perUnit = { MILLIS: 1_000_000n, MICROS: 1000n, NANOS: 1n };

/** @param underlying wraps the schema, so that it is read as its underlying type */
export function logicalTypes(
  dates: Dates,
  underlying: (schema: Schema) => Schema,
): Record<string, LogicalClass> {
  const of = (conversionOf: (schema: Schema) => Conversion | undefined): LogicalClass =>
    class extends avsc.types.LogicalType {
      readonly #conversion: Conversion;

      constructor(schema: avsc.Schema, opts?: unknown) {
        const conversion = conversionOf(schema as unknown as Schema);
        if (conversion === undefined) throw new Error('not a valid logical type');
        super(underlying(schema as unknown as Schema) as unknown as avsc.Schema, opts);
        this.#conversion = conversion;
      }

      get kind(): string {
        return this.#conversion.kind;
      }

      protected override _fromValue(value: unknown): unknown {
        return this.#conversion.read(value);
      }

      protected override _toValue(value: unknown): unknown {
        return this.#conversion.write(value);
      }

      /** How values that were written as another type are read; `undefined` if they cannot be. */
      protected override _resolve(written: avsc.Type): ((value: unknown) => unknown) | undefined {
        const { kind } = written as unknown as { readonly kind?: string };
        if (kind !== undefined) return kind === this.#conversion.kind ? (value) => value : undefined;
        // A reader of the underlying type says whether that can be read.
        try {
          this.underlyingType.createResolver(written);
        } catch {
          return undefined;
        }
        return (value) => this.#conversion.read(value);
      }
    };
  const timestamps = (unit: Unit, kind: string): LogicalClass =>
    of(({ type }) => (type === 'long' ? timestampOf(dates, unit, kind) : undefined));
  return {
    date: of(({ type }) => (type === 'int' ? dateOf(dates) : undefined)),
    'time-millis': of(({ type }) => (type === 'int' ? timeOf('MILLIS') : undefined)),
    'time-micros': of(({ type }) => (type === 'long' ? timeOf('MICROS') : undefined)),
    'timestamp-millis': timestamps('MILLIS', 'timestamp'),
    'timestamp-micros': timestamps('MICROS', 'timestamp'),
    'timestamp-nanos': timestamps('NANOS', 'timestamp'),
    'local-timestamp-millis': timestamps('MILLIS', 'local timestamp'),
    'local-timestamp-micros': timestamps('MICROS', 'local timestamp'),
    'local-timestamp-nanos': timestamps('NANOS', 'local timestamp'),
    decimal: of(decimalOf),
    uuid: of(uuidOf),
  };
}

function timestampOf(dates: Dates, unit: Unit, kind: string): Conversion {
  const per = perUnit[unit];
  const perMilli = Number(1_000_000n / per);
  return {
    kind,
    read:
      dates === 'text'
        ? (value) => timestampText(nanos(value, unit))
        : (value) =>
            // The quotient of a larger number may be rounded up.
            typeof value === 'number' && Math.abs(value) < 2 ** 50
              ? date(Math.floor(value / perMilli))
              : timestamp(nanos(value, unit)),
    write(value) {
      const all = nanosOf(value, dates);
      // What the unit has no digits for is not dropped silently, except of a `Date`, which has none.
      return all !== undefined && all % per === 0n ? all / per : undefined;
    },
  };
}

/** Nanoseconds since 1970 of a `Date`, or of ISO 8601 in UTC. */
function nanosOf(value: unknown, dates: Dates): bigint | undefined {
  if (value instanceof Date) {
    const millis = value.getTime();
    return Number.isNaN(millis) ? undefined : BigInt(millis) * 1_000_000n;
  }
  // A local timestamp has no offset, and is not moved by one.
  return dates === 'text' && typeof value === 'string' && value.endsWith('Z')
    ? nanosOfTimestamp(value)
    : undefined;
}

function dateOf(dates: Dates): Conversion {
  const dayOf = (millis: number | undefined): number | undefined =>
    millis !== undefined && millis % dayMillis === 0 ? millis / dayMillis : undefined;
  return {
    kind: 'date',
    read: (value) => {
      const day = date(Number(value) * dayMillis);
      return dates === 'text' ? day.toISOString().slice(0, -'T00:00:00.000Z'.length) : day;
    },
    write: (value) => {
      if (value instanceof Date) return dayOf(value.getTime());
      return dates === 'text' && typeof value === 'string' ? dayOf(midnightOf(value)) : undefined;
    },
  };
}

function timeOf(unit: 'MILLIS' | 'MICROS'): Conversion {
  return {
    kind: 'time',
    read: (value) => timeText(nanos(value, unit)),
    write(value) {
      const all = typeof value === 'string' ? nanosOfTime(value) : undefined;
      return all !== undefined && all % perUnit[unit] === 0n ? Number(all / perUnit[unit]) : undefined;
    },
  };
}

function decimalOf({ type, precision, scale = 0, size }: Schema): Conversion | undefined {
  if (type !== 'bytes' && type !== 'fixed') return undefined;
  if (!isDigits(precision) || precision === 0 || !isDigits(scale) || scale > precision) return undefined;
  const limit = 10n ** BigInt(precision);
  return {
    kind: `decimal with ${scale} digits after the point`,
    read(value) {
      if ((value as Buffer).length > mostDecimalBytes)
        throw new BadValue(`a decimal of ${(value as Buffer).length} bytes`);
      return decimal(unscaled(value), scale);
    },
    write(value) {
      const digits = unscaledOf(value, scale);
      if (digits === undefined || digits >= limit || digits <= -limit) return undefined;
      return twosComplement(digits, type === 'fixed' ? Number(size) : undefined);
    },
  };
}

const isDigits = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= mostDigits;

/** A number times ten to the power of the scale; `undefined` if it has more digits after the point. */
function unscaledOf(value: unknown, scale: number): bigint | undefined {
  const isNumber = typeof value === 'number' || typeof value === 'bigint' || value instanceof JsonNumber;
  const found = isNumber ? /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,3}))?$/.exec(String(value)) : null;
  if (found === null) return undefined;
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = found;
  const shift = scale - fraction.length + Number(exponent);
  let digits = BigInt(sign + whole + fraction);
  if (shift >= 0) return digits * 10n ** BigInt(shift);
  const rest = 10n ** BigInt(-shift);
  if (digits % rest !== 0n) return undefined;
  digits /= rest;
  return digits;
}

function twosComplement(value: bigint, size: number | undefined): Buffer | undefined {
  let bytes = 1;
  while (BigInt.asIntN(bytes * 8, value) !== value) bytes++;
  if (size !== undefined && bytes > size) return undefined;
  const length = size ?? bytes;
  return Buffer.from(
    BigInt.asUintN(length * 8, value)
      .toString(16)
      .padStart(length * 2, '0'),
    'hex',
  );
}

/** Of strings it is one. */
function uuidOf({ type, size }: Schema): Conversion | undefined {
  if (type !== 'fixed' || size !== 16) return undefined;
  return {
    kind: 'uuid',
    read: (value) =>
      (value as Buffer).toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
    write: (value) =>
      typeof value === 'string' && /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(value)
        ? Buffer.from(value.replaceAll('-', ''), 'hex')
        : undefined,
  };
}
