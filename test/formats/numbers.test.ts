import fc from 'fast-check';
import { hasLongNumber, JsonNumber, parseExactly } from '../../src/formats/jsonNumbers.js';
import type { NdjsonOptions } from '../../src/formats/jsonParsers.js';
import { ndjson } from '../../src/formats/ndjson.js';
import { atStart } from './atStart.js';

function read(content: string, options: NdjsonOptions<unknown> = {}): unknown[] {
  const records: unknown[] = [];
  const decoder = ndjson<unknown>(options).decoder(atStart);
  decoder.decode(
    Buffer.from(content),
    0,
    1,
    (record) => records.push(record),
    ({ reason }) => records.push(new SyntaxError(reason)),
  );
  return records;
}

const runs = { numRuns: Number(process.env['RUNS'] ?? 300) };
const digit = fc.integer({ min: 0, max: 9 }).map(String);
const digits = (minLength: number, maxLength: number) => fc.string({ unit: digit, minLength, maxLength });
const whole = fc
  .tuple(fc.constantFrom('', '-'), fc.integer({ min: 1, max: 9 }).map(String), digits(0, 40))
  .map(([sign, first, rest]) => sign + first + rest);
const decimal = fc
  .tuple(fc.oneof(whole, fc.constant('0')), digits(1, 40), fc.constantFrom('', 'e5', 'E-7', 'e+200'))
  .map(([integer, fraction, exponent]) => `${integer}.${fraction}${exponent}`);

/** A JSON text, and what it stands for with every number as its literal. */
interface Sample {
  readonly text: string;
  readonly numbers: readonly string[];
}

/** JSON texts with numbers of any length, beside strings and names that look like such numbers. */
const { json } = fc.letrec<{ json: Sample }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 3 },
    fc.oneof(whole, decimal).map((text) => ({ text, numbers: [text] })),
    fc
      .string({
        unit: fc.constantFrom('"', '\\', ':', ',', '[', ' ', '-', '1', '.', 'é', '\u0000'),
        maxLength: 30,
      })
      .map((text) => ({ text: JSON.stringify(text), numbers: [] })),
    fc.constantFrom('null', 'true').map((text) => ({ text, numbers: [] })),
    fc.array(tie('json'), { maxLength: 4 }).map((items) => ({
      text: `[ ${items.map(({ text }) => text).join(' , ')}\t]`,
      numbers: items.flatMap(({ numbers }) => numbers),
    })),
    fc
      .array(fc.tuple(fc.oneof(digits(15, 25), fc.constantFrom('__proto__', 'a"b', '')), tie('json')), {
        maxLength: 4,
      })
      .map((entries) => {
        // Of equal names the last counts, and integers come first: neither is tested here.
        const fields = entries.map(([name, value], i) => [`${name}x${i}`, value] as const);
        return {
          text: `{${fields.map(([name, { text }]) => `${JSON.stringify(name)}:${text}`).join(',')}}`,
          numbers: fields.flatMap(([, { numbers }]) => numbers),
        };
      }),
  ),
}));

/** All numbers of a value in their order. */
function numbersOf(value: unknown): unknown[] {
  if (typeof value !== 'object' || value === null || value instanceof JsonNumber)
    return ['number', 'bigint', 'object'].includes(typeof value) && value !== null ? [value] : [];
  return Object.values(value).flatMap(numbersOf);
}

/** A value as it is after it was written: `JSON.stringify` writes 9.01e15 as an integer, and one that large is a bigint. */
function asRead(value: unknown): unknown {
  if (typeof value === 'number')
    return Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(value) < 1e21
      ? BigInt(JSON.stringify(value))
      : value;
  if (typeof value !== 'object' || value === null || value instanceof JsonNumber) return value;
  if (Array.isArray(value)) return value.map(asRead);
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, asRead(inner)]));
}

/** Digits and exponent of a number: equal for equal numbers, however they are written. */
function canonical(text: string): string {
  const [, sign = '', integer = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  const all = (integer + fraction).replace(/^0+/, '');
  const short = all.replace(/0+$/, '');
  const scale = BigInt(exponent) - BigInt(fraction.length) + BigInt(all.length - short.length);
  return short === '' ? '0' : `${sign}${short}e${scale}`;
}

describe('numbers of ndjson', () => {
  it('keep every digit when they are read and written, wherever they are', () => {
    fc.assert(
      fc.property(json, ({ text, numbers }) => {
        const [value] = read(`${text}\n`);
        const read1 = numbersOf(value);
        expect(read1).toHaveLength(numbers.length);
        for (const [i, literal] of numbers.entries()) {
          const got = read1[i];
          if (typeof got === 'bigint') expect(String(got)).toBe(literal);
          else if (got instanceof JsonNumber) expect(got.text).toBe(literal);
          // As many digits as it was written with give it back.
          else {
            const [, shown = ''] = /^-?(\d+)/.exec(canonical(literal)) ?? [];
            const printed = [(got as number).toPrecision(Math.min(100, shown.length)), String(got)];
            expect(printed.map(canonical)).toContain(canonical(literal));
          }
        }
        const format = ndjson<unknown>();
        const written = String(format.encode(value));
        expect(read(written)).toEqual([asRead(value)]);
        expect(String(format.encode(read(written)[0]))).toBe(written);
      }),
      runs,
    );
  });

  it('are those of JSON.parse where it loses nothing', () => {
    fc.assert(
      fc.property(
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.integer({ min: 1, max: 60 }),
        (n, precision) => {
          for (const text of [
            String(n),
            n.toPrecision(precision),
            n.toExponential(Math.min(precision, 50)),
          ]) {
            if (!/[.e]/.test(text) || text.length < 3) continue;
            const exact = parseExactly(text);
            if (precision >= 17 || text === String(n)) expect(Object.is(exact, JSON.parse(text))).toBe(true);
          }
        },
      ),
      runs,
    );
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(Number.MAX_SAFE_INTEGER), (value, n) => {
        fc.pre(!/\d{16}/.test(JSON.stringify(value)));
        const text = JSON.stringify([value, n, -n]);
        expect(parseExactly(text)).toEqual(JSON.parse(text));
      }),
      runs,
    );
  });

  it.each<[string, unknown]>([
    ['9007199254740991', 9007199254740991],
    ['9007199254740992', 9007199254740992n],
    ['-9007199254740993', -9007199254740993n],
    ['144126219108390099', 144126219108390099n],
    ['18446744073709551616', 18446744073709551616n],
    ['100000000000000000000', 100000000000000000000n],
    ['1.20000000000000000000000000005', new JsonNumber('1.20000000000000000000000000005')],
    ['0.1000000000000000055511151231257827', 0.1],
    ['0.10000000000000000000000000', 0.1],
    ['9010000000000000.0', 9.01e15],
    ['1797457212174522.2', 1797457212174522.25],
    ['1797457212174522.3', 1797457212174522.25],
    ['1.0000000000000000e400', new JsonNumber('1.0000000000000000e400')],
    ['1.0000000000000000e-400', new JsonNumber('1.0000000000000000e-400')],
    ['0.00000000000000000000e5', 0],
    ['12345678901234567890.5', new JsonNumber('12345678901234567890.5')],
    ['"144126219108390099"', '144126219108390099'],
    ['\uFEFF144126219108390099', 144126219108390099n],
    [' [ 144126219108390099 ] ', [144126219108390099n]],
    ['{"a\\"":-144126219108390099}', { 'a"': -144126219108390099n }],
  ])('%s', (text, value) => {
    const line = JSON.parse(`"${text.replace(/["\\]/g, '\\$&')}"`) as string;
    expect(read(`${line}\n`)).toEqual([value]);
  });

  it.each([
    '{144126219108390099:1}',
    '{"a":1,144126219108390099 : 1}',
    '0144126219108390099',
    '144126219108390099.',
    '144126219108390099x',
    '--144126219108390099',
    '[144126219108390099',
    '"144126219108390099',
    '1.44126219108390099e',
    '[1,144126219108390099,]',
  ])('%s is malformed, with the message of JSON.parse', (line) => {
    let reason = '';
    try {
      JSON.parse(line);
    } catch (error) {
      reason = (error as Error).message;
    }
    expect(read(`${line}\n`)).toEqual([new SyntaxError(reason)]);
  });

  it('are doubles if configured, and are still written exactly', () => {
    const line = '{"id":144126219108390099,"price":1.20000000000000000000000000005}';
    expect(read(`${line}\n`, { numbers: 'double' })).toEqual([JSON.parse(line)]);
    expect(ndjson<unknown>({ numbers: 'double' }).encode({ id: 144126219108390099n })).toBe(
      '{"id":144126219108390099}\n',
    );
    expect(() => ndjson({ numbers: 'exactly' as never })).toThrow("'exact' or 'double'");
  });

  it('are passed to a schema unchanged', () => {
    const seen: unknown[] = [];
    const schema = {
      '~standard': {
        version: 1 as const,
        vendor: 'test',
        validate: (value: unknown) => {
          seen.push(value);
          return { value };
        },
      },
    };
    read('{"id":144126219108390099}\n', { schema });
    expect(seen).toEqual([{ id: 144126219108390099n }]);
  });

  it('are kept at any depth that can be read', () => {
    const depth = 3000;
    const seen: unknown[] = [];
    const line = Buffer.from(`${'['.repeat(depth)}144126219108390099${']'.repeat(depth)}\n`);
    const decoder = ndjson<unknown>({ maxDepth: depth }).decoder(atStart);
    decoder.decode(
      line,
      0,
      1,
      (each) => seen.push(each),
      () => undefined,
    );
    const [value] = seen;
    let inner = value;
    for (let i = 0; i < depth; i++) inner = (inner as unknown[])[0];
    expect(inner).toBe(144126219108390099n);
  });

  it('of one record are written exactly after any other', () => {
    const format = ndjson<unknown>();
    const price = new JsonNumber('0.10');
    for (let i = 0; i < 3000; i++) {
      const record = i % 7 === 0 ? { id: 2n ** 64n, i } : i % 5 === 0 ? { price, i } : { i };
      const expected =
        i % 7 === 0
          ? `{"id":18446744073709551616,"i":${i}}`
          : i % 5 === 0
            ? `{"price":0.10,"i":${i}}`
            : `{"i":${i}}`;
      if (i % 1500 > 400 && i % 35 !== 0) continue;
      expect(format.encode(record)).toBe(`${expected}\n`);
    }
  });

  it('are found wherever they begin in a block; short ones and those in strings are not', () => {
    fc.assert(
      fc.property(
        fc.nat(64),
        fc.integer({ min: 1, max: 40 }),
        fc.nat(64),
        fc.boolean(),
        (before, length, after, quoted) => {
          const text = `${'x'.repeat(before)}${quoted ? '"' : ':'}${'1'.repeat(length)}${'"'.repeat(after)}`;
          const bytes = Buffer.from(text);
          expect(hasLongNumber(bytes, 0, bytes.length)).toBe(length >= 16 && !quoted);
        },
      ),
      runs,
    );
  });
});

describe('JsonNumber', () => {
  it('is the nearest double in arithmetic and for JSON.stringify, and exact as a string', () => {
    const n = new JsonNumber('1.20000000000000000000000000005');
    expect([n.valueOf() * 2, Number(n) + 1, n > new JsonNumber('1.1'), String(n)]).toEqual([
      2.4,
      2.2,
      true,
      n.text,
    ]);
    expect(JSON.stringify({ n })).toBe('{"n":1.2}');
    expect(Object.isFrozen(n)).toBe(true);
  });

  it('accepts exactly the numbers of JSON', () => {
    for (const text of ['', '1.', '.5', '01', '+1', 'NaN', '1e', ' 1', '0x1', '"1"', '1n'])
      expect(() => new JsonNumber(text)).toThrow(expect.objectContaining({ code: 'InvalidOption' }) as Error);
    for (const text of ['0', '-0', '1e5', '1E+5', '-1.50']) expect(new JsonNumber(text).text).toBe(text);
  });
});
