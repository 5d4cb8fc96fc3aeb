import fc from 'fast-check';
import { findKey, schema, type Row } from '../../src/config/schema/index.js';

const words = fc
  .array(fc.constantFrom(...Array.from('abcdefghijklmnopqrstuvwxyz')), { minLength: 2, maxLength: 20 })
  .map((letters) => letters.join(''));

/** A value that the row's kind accepts, as a file would write it. */
export function valueOf(row: Row): fc.Arbitrary<string> {
  const { kind } = row;
  const fits = (text: string): boolean => kind.read(text) !== undefined;
  switch (kind.name) {
    case 'flag':
      return fc.constantFrom('true', 'false', 'TRUE');
    case 'choice':
      return fc.constantFrom(...(kind.words ?? []));
    case 'secret':
      return fits('x')
        ? fc.string({ minLength: 1, maxLength: 40 }).filter((text) => text.trim() !== '')
        : fc
            .uint8Array({ minLength: 32, maxLength: 32 })
            .map((bytes) => Buffer.from(bytes).toString('base64'));
    case 'size':
      return fc
        .tuple(fc.integer({ min: 1, max: 2000 }), fc.constantFrom('', 'kB', 'KiB', 'MiB', ' GiB'))
        .map(([n, unit]) => `${n}${unit}`)
        .filter(fits);
    case 'duration':
      return fc
        .tuple(fc.integer({ min: 0, max: 5000 }), fc.constantFrom('', 'ms', 's', 'm', 'h'))
        .map(([n, unit]) => `${n}${unit}`)
        .filter(fits);
    case 'count':
      return fc.integer({ min: 0, max: 300 }).map(String).filter(fits);
    case 'number':
      return fc
        .integer({ min: 0, max: 40 })
        .map((n) => String(n / 8))
        .filter(fits);
    case 'uri':
      return fc
        .constantFrom('http://127.0.0.1:9000', 'https://s3.example.com', 's3://lake/cp', 'memory://a/b')
        .filter(fits);
    default:
      return fc
        .oneof(words, fc.constantFrom('arn:aws:iam::1:role/a', 'STANDARD_IA', '.seg', 'a/b'))
        .filter(fits);
  }
}

const values = new Map(schema.map((row) => [row, valueOf(row)]));

const sayable = schema.filter(({ where }) => where !== 'code');

/** Some flat keys with values that are right, each alone. */
export const flat: fc.Arbitrary<Record<string, string>> = fc
  .uniqueArray(fc.constantFrom(...sayable), { maxLength: 12 })
  .chain((rows) =>
    fc.tuple(
      ...rows.map((row) =>
        fc.tuple(
          fc
            .constantFrom('lake', 'my.bucket', '__proto__', 'a.region')
            .map((name) => row.key.replace('<name>', name).replace('<entry>', 'dept')),
          values.get(row)!,
        ),
      ),
    ),
  )
  .map((pairs) => Object.fromEntries(pairs.filter(([key]) => findKey(key) !== undefined)));
