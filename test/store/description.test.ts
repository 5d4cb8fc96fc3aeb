import fc from 'fast-check';
import { checkDescription, descriptionOf, wrongTags } from '../../src/store/description.js';

const texts = fc.dictionary(fc.string(), fc.string(), { noNullPrototype: true });
const descriptions = fc.record(
  { metadata: texts, content: fc.record({ type: fc.string() }), tags: texts, storageClass: fc.string() },
  { requiredKeys: [] },
);

it('descriptionOf copies the description, and nothing else', () => {
  fc.assert(
    fc.property(descriptions, (description) => {
      const copy = descriptionOf({ ...description, ifMatch: 'x' } as typeof description);
      expect(copy).toEqual(description);
      if (description.tags !== undefined) expect(copy.tags).not.toBe(description.tags);
    }),
  );
});

it('a tag name has 1 to 128 characters, its value at most 256, and there are at most 10', () => {
  const most = Object.fromEntries(
    Array.from({ length: 10 }, (_, i) => [`${i}`.padStart(128, 'ä'), 'x'.repeat(256)]),
  );
  expect(wrongTags(most)).toBeUndefined();
  expect(wrongTags({ ...most, one: 'more' })).toMatch(/at most 10 tags, not 11/);
  expect(wrongTags({ ['x'.repeat(129)]: '' })).toMatch(/1 to 128/);
  expect(wrongTags({ x: 'x'.repeat(257) })).toMatch(/at most 256/);
  expect(wrongTags({ 'a + - = . _ : / @1': '' })).toBeUndefined();
  for (const text of ['a&b', 'a\nb', 'a"', '\ud800']) {
    expect(wrongTags({ [text]: '' })).toMatch(/cannot be stored/);
    expect(wrongTags({ x: text })).toMatch(/cannot be stored/);
  }
  expect(wrongTags({ 'aws:x': '' })).toMatch(/reserved/);
});

it('a storage class is one word', () => {
  expect(() => {
    checkDescription({ storageClass: 'GLACIER_IR' });
  }).not.toThrow();
  for (const storageClass of ['', 'a b', 'ä', 'a\n'])
    expect(() => {
      checkDescription({ storageClass });
    }).toThrow(/is not a storage class/);
});
