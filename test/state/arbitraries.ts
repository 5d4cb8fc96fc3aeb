import fc from 'fast-check';
import type { Key } from '../../src/state/keys/keys.js';

const primitive: fc.Arbitrary<Key> = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.integer(),
  fc.double(),
  fc.maxSafeInteger(),
  fc.bigInt(),
  fc.boolean(),
  fc.constant(null),
);

/** Any key. */
export const keyArbitrary: fc.Arbitrary<Key> = fc.letrec<{ key: Key }>((tie) => ({
  key: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    primitive,
    fc.date({ noInvalidDate: true }),
    fc.array(tie('key'), { maxLength: 3 }),
    fc.dictionary(fc.string({ maxLength: 3 }), tie('key'), { maxKeys: 3, noNullPrototype: true }),
  ),
})).key;

/** Few keys that collide a lot, of all kinds. */
export const fewKeys: fc.Arbitrary<Key> = fc.constantFrom<Key[]>(
  'a',
  'b',
  'Aa',
  'BB', // the same Java hash as `Aa`
  1,
  '1',
  1.5,
  7n,
  true,
  null,
  new Date(5),
  ['a', 1],
  { x: 1, y: 'z' },
);

/** Any value that the default serializer supports. */
export const valueArbitrary: fc.Arbitrary<unknown> = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withSet: true,
  withTypedArray: true,
  maxDepth: 3,
});
