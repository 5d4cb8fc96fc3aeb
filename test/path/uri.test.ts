import fc from 'fast-check';
import {
  formatUri,
  hideUserInfo,
  InvalidUri,
  parseUri,
  splitUri,
  UnknownScheme,
  uriBelow,
} from '../../src/path/uri.js';

describe('URIs', () => {
  it.each([
    ['s3://lake/raw/a%20b', { scheme: 's3', bucket: 'lake', key: 'raw/a b' }],
    ['s3a://lake/x', { scheme: 's3', bucket: 'lake', key: 'x' }],
    ['S3://lake', { scheme: 's3', bucket: 'lake', key: '' }],
    ['s3://lake//a//b/../c/', { scheme: 's3', bucket: 'lake', key: '/a//b/../c/' }],
    ['s3://lake/a+b?c#d', { scheme: 's3', bucket: 'lake', key: 'a+b?c#d' }],
    ['memory://m/day=1/x', { scheme: 'memory', bucket: 'm', key: 'day=1/x' }],
    ['file:///tmp/lake/x%25', { scheme: 'file', bucket: 'tmp', key: 'lake/x%' }],
    ['file://localhost/tmp', { scheme: 'file', bucket: 'tmp', key: '' }],
  ] as const)('parses %s', (uri, parts) => {
    expect(parseUri(uri)).toEqual(parts);
  });

  it('keeps a glob as it was written', () => {
    expect(splitUri('s3://lake/raw/**/*.{a,b}%20?[!x]').key).toBe('raw/**/*.{a,b}%20?[!x]');
  });

  it('never keeps user info', () => {
    expect(parseUri('s3://key:se@cret@lake/x')).toEqual({ scheme: 's3', bucket: 'lake', key: 'x' });
    expect(hideUserInfo('s3://key:se@cret@lake/x@y')).toBe('s3://lake/x@y');
    for (const uri of [
      'file://key:secret@host/x',
      's3://key:secret@/x',
      's3://key:sec/secret@lake/x',
      's3:/key:secret@x',
    ]) {
      const error = caught(() => parseUri(uri));
      expect(error).toBeInstanceOf(InvalidUri);
      if (!uri.startsWith('s3:/k')) expect(String(error)).not.toContain('secret');
    }
  });

  it.each([
    '',
    'lake/x',
    's3:/lake/x',
    's3:///x',
    'file://host/x',
    'file:///',
    'file://',
    's3://lake/%',
    's3://lake/%zz',
    's3://lake/%ff',
  ])('refuses "%s" as InvalidUri', (uri) => {
    expect(() => parseUri(uri)).toThrow(InvalidUri);
  });

  it('refuses a scheme it does not know', () => {
    expect(() => parseUri('ftp://lake/x')).toThrow(UnknownScheme);
  });

  it('every key round-trips', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('s3', 'memory', 'file'),
        fc.stringMatching(/^[a-z][a-z0-9.-]{0,10}$/),
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc
            .array(fc.constantFrom('/', ' ', '+', '%', '?', '#', 'ü', '..', '*', '@', '='))
            .map((a) => a.join('')),
        ),
        (scheme, bucket, key) => {
          expect(parseUri(formatUri({ scheme, bucket, key }))).toEqual({ scheme, bucket, key });
        },
      ),
    );
  });
});

test('a key below a store has a URI that leads to it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (key) => {
      fc.pre(!key.includes('\0') && key.isWellFormed() && !key.startsWith('/'));
      expect(parseUri(uriBelow('s3://lake', key))).toEqual({ scheme: 's3', bucket: 'lake', key });
    }),
  );
  expect(uriBelow('memory://lake/', 'kind=a%2Fb/x y')).toBe('memory://lake/kind=a%252Fb/x%20y');
});

function caught(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
}
