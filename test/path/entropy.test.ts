import { plainUri, withoutEntropy } from '../../src/path/index.js';

test.each([
  ['a/_e_/b', 'a/b', 2, true],
  ['_e_/b', 'b', 0, true],
  ['a/_e_', 'a/', 2, true],
  ['_e_', '', 0, true],
  ['x-_e_-y', 'x--y', 2, false],
  ['a/_e_/b/_e_', 'a/b/_e_', 2, true],
])('%s without its marker is %s', (key, plain, at, name) => {
  expect(withoutEntropy(key, '_e_')).toEqual({ plain, at, name });
});

test('a URI without the marker, or without a configured one, is unchanged', () => {
  expect(withoutEntropy('a/b', '_e_')).toEqual({ plain: 'a/b' });
  expect(withoutEntropy('a/_e_/b', undefined)).toEqual({ plain: 'a/_e_/b' });
});

test('a marker in the bucket is part of its name', () => {
  expect(plainUri('s3://_e_/a/_e_/b', '_e_')).toBe('s3://_e_/a/b');
  expect(plainUri('s3://_e_', '_e_')).toBe('s3://_e_');
  expect(plainUri('s3x://a:b@host/_e_/a/_e_/b', '_e_')).toBe('s3x://a:b@host/_e_/a/b');
  expect(plainUri('s3x://_e_/_e_', '_e_')).toBe('s3x://_e_/_e_');
});
