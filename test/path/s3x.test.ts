import { inspect } from 'node:util';
import fc from 'fast-check';
import {
  formatUri,
  hideUserInfo,
  InvalidUri,
  parseUri,
  S3Path,
  splitUri,
  UnknownScheme,
  userInfo,
} from '../../src/path/index.js';

describe('s3x URIs', () => {
  it.each([
    ['s3x://host/lake/x', 'host', 'lake', 'x'],
    ['s3x://host:9000/lake/raw/a%20b', 'host:9000', 'lake', 'raw/a b'],
    ['S3X://Host.Example:09000/lake', 'host.example:9000', 'lake', ''],
    ['s3x://key:secret@host:9000/lake/x@y', 'host:9000', 'lake', 'x@y'],
    ['s3x://[::1]:9000/lake/x', '[::1]:9000', 'lake', 'x'],
    ['s3x://key:secret@[FE80:0::1]/lake/x', '[fe80::1]', 'lake', 'x'],
    ['s3x://127.0.0.1:443/lake//a//b/', '127.0.0.1:443', 'lake', '/a//b/'],
    ['s3x://my_minio:80/lake/?a#b', 'my_minio:80', 'lake', '?a#b'],
    ['s3x://bücher.example/lake/x', 'xn--bcher-kva.example', 'lake', 'x'],
    ['s3x://host/my-access-point-abc123-s3alias/x', 'host', 'my-access-point-abc123-s3alias', 'x'],
  ])('%s', (uri, server, bucket, key) => {
    expect(parseUri(uri)).toEqual({ scheme: 's3x', server, bucket, key });
  });

  it('keeps a glob as it was written', () => {
    expect(splitUri('s3x://host/lake/**/*.{a,b}%20?')).toEqual({
      scheme: 's3x',
      server: 'host',
      bucket: 'lake',
      key: '**/*.{a,b}%20?',
    });
  });

  it.each([
    ['s3x://AKIA:secret@host/lake/x', 'AKIA', 'secret'],
    ['s3x://AKIA:se%2Fcr%40et%25+:@host:9000/lake', 'AKIA', 'se/cr@et%+:'],
    ['s3x://AKIA:se@cret@[::1]/lake', 'AKIA', 'se@cret'],
  ])('returns the credentials of %s', (uri, accessKeyId, secretAccessKey) => {
    expect(userInfo(uri)).toEqual({ accessKeyId, secretAccessKey });
  });

  it('returns credentials of no other URI', () => {
    for (const uri of [
      's3x://host/lake/a:b@c',
      's3://key:secret@lake/x',
      'memory://a:b@m/x',
      'file:///tmp/x',
    ])
      expect(userInfo(uri)).toBeUndefined();
  });

  it.each([
    's3x://',
    's3x:///lake/x',
    's3x://host',
    's3x://host/',
    's3x://host//x',
    's3x://host:/lake',
    's3x://host:0/lake',
    's3x://host:65536/lake',
    's3x://host:9000a/lake',
    's3x://::1/lake',
    's3x://[::1/lake',
    's3x://[::zz]/lake',
    's3x://[1.2.3.4]/lake',
    's3x://ho st/lake',
    's3x://ho%73t/lake',
    's3x://host?x/lake',
    's3x://@host/lake',
    's3x://key@host/lake',
    's3x://key:@host/lake',
    's3x://:secret@host/lake',
    's3x://key:sec%ret@host/lake',
    's3x://host/lake/%zz',
    's3x://host/%zz/x',
  ])('refuses %s as InvalidUri', (uri) => {
    expect(() => parseUri(uri)).toThrow(InvalidUri);
  });

  it('never writes user info', () => {
    const uri = { ...parseUri('s3x://key:secret@host:9000/lake/a b'), userInfo: 'key:secret@' };
    expect(formatUri(uri)).toBe('s3x://host:9000/lake/a%20b');
    expect(() => formatUri({ ...uri, server: 'key:secret@host' })).toThrow(InvalidUri);
    expect(() => formatUri({ scheme: 's3x', bucket: 'lake', key: 'x' })).toThrow(InvalidUri);
  });

  it('every key round-trips, on every server', () => {
    const server = fc
      .tuple(
        fc.oneof(fc.domain(), fc.ipV4(), fc.constantFrom('localhost', '[::1]', '[2001:db8::2]')),
        fc.option(fc.integer({ min: 1, max: 65535 }), { nil: undefined }),
      )
      .map(([host, port]) => (port === undefined ? host : `${host}:${port}`).toLowerCase());
    fc.assert(
      fc.property(
        server,
        fc.stringMatching(/^[a-z][a-z0-9.-]{0,10}$/),
        fc.string({ unit: 'binary' }),
        (host, bucket, key) => {
          const uri = { scheme: 's3x', server: host, bucket, key } as const;
          expect(parseUri(formatUri(uri))).toEqual(uri);
        },
      ),
    );
  });
});

describe('access points', () => {
  it('an alias is a bucket', () => {
    expect(parseUri('s3://mine-abc123def-s3alias/x').bucket).toBe('mine-abc123def-s3alias');
  });

  it.each([
    's3://arn:aws:s3:eu-west-1:123456789012:accesspoint/mine/x',
    's3a://arn%3Aaws%3As3%3Aeu-west-1%3A123456789012%3Aaccesspoint%2Fmine/x',
    's3x://host/arn:aws:s3:eu-west-1:123456789012:accesspoint/mine/x',
    's3x://host/arn%3Aaws%3As3/x',
    's3://ARN:aws-cn:s3:::lake',
  ])('%s is refused with a hint at the alias', (uri) => {
    expect(() => parseUri(uri)).toThrow(InvalidUri);
    expect(() => parseUri(uri)).toThrow(/alias.*"-s3alias".*get-access-point/);
  });
});

describe('directory buckets', () => {
  it.each([
    's3://mine--usw2-az1--x-s3/x',
    's3a://mine--usw2-az1--X-S3/x',
    's3://point--usw2-az1--xa-s3',
    's3x://host/mine--usw2-az1--x-s3/x',
    's3x://key:secret@host:9000/mine--usw2-az1-%2Dx-s3/x',
    's3x://key:S3cr/et@host/mine--usw2-az1--x-s3/x',
  ])('%s is refused', (uri) => {
    expect(() => parseUri(uri)).toThrow(InvalidUri);
    expect(() => S3Path.from(uri)).toThrow(InvalidUri);
    expect(() => parseUri(uri)).not.toThrow(/S3cr/);
    if (!uri.includes('et@')) expect(() => parseUri(uri)).toThrow(/directory bucket/);
  });

  it('are recognized by the end of their name, and only on S3', () => {
    for (const uri of [
      's3://mine--x-s3-logs/x',
      's3://lake/a--x-s3',
      'memory://mine--x-s3/x',
      'file:///mine--x-s3/x',
    ])
      expect(formatUri(parseUri(uri))).toBe(uri);
  });
});

describe('any string', () => {
  const secret = fc
    .array(fc.constantFrom('S3cr3t', '/', '+', '@', ':', '%', '%2F', '?', '#', ' ', '1'), { maxLength: 6 })
    .map((pieces) => `S3cr3t${pieces.join('')}S3cr3t`);
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.webUrl({ withFragments: true, withQueryParameters: true }),
    fc
      .array(
        fc.oneof(
          fc.constantFrom('s3', 's3a', 's3x', 'file', 'memory', '://', ':', '/', '@', '%', '%zz', '%ff'),
          fc.constantFrom('[::1]', '[', ']', ':9000', ':99999', 'arn:aws:s3', 'host', '?', '#', '\ud800'),
          fc.string(),
        ),
        { maxLength: 8 },
      )
      .map((pieces) => pieces.join('')),
    fc
      .tuple(fc.constantFrom('s3://', 's3x://', 'file://', 'memory://'), fc.string({ unit: 'binary' }))
      .map(([scheme, rest]) => scheme + rest),
  );

  it('is a URI, or refused as InvalidUri or UnknownScheme', () => {
    fc.assert(
      fc.property(text, (uri) => {
        for (const parse of [parseUri, splitUri, userInfo, (each: string) => formatUri(parseUri(each))]) {
          const error = caught(() => parse(uri));
          if (error !== undefined)
            expect(error instanceof InvalidUri || error instanceof UnknownScheme).toBe(true);
        }
        expect(typeof hideUserInfo(uri)).toBe('string');
      }),
      { numRuns: 1000 },
    );
  });

  it('that is a URI is normalized to one that means the same', () => {
    fc.assert(
      fc.property(text, (uri) => {
        if (caught(() => parseUri(uri)) !== undefined) return;
        const parts = parseUri(uri);
        expect(parseUri(formatUri(parts))).toEqual(parts);
      }),
      { numRuns: 1000, examples: [['s3://\ud800'], ['s3://lake/\udc00']] },
    );
  });

  it('gives no message with user info in it, however malformed', () => {
    const start = fc.constantFrom('s3://', 's3a://', 's3x://', 'file://', 'memory://', 's3:/', 's3x:', '');
    const end = fc.constantFrom(
      'host/lake/x',
      'host:9000/lake/%zz',
      '',
      '/',
      '[::1]/b',
      'ho st/b',
      'arn:a/x',
    );
    fc.assert(
      fc.property(start, secret, end, (scheme, hidden, rest) => {
        const uri = `${scheme}AKIA:${hidden}@${rest}`;
        const error = caught(() => parseUri(uri)) ?? caught(() => userInfo(uri));
        if (error !== undefined) expect(inspect(error)).not.toMatch(/S3cr3t|AKIA/);
      }),
      {
        numRuns: 2000,
        examples: [
          ['s3://', 'S3cr3t@%S3cr3t/S3cr3t', 'host/lake/x'],
          ['file://', 'S3cr3t@/%S3cr3t/S3cr3t', 'host/lake/x'],
        ],
      },
    );
  });

  it('is shown without user info', () => {
    expect(hideUserInfo('s3x://key:secret@host:9000/lake/x@y')).toBe('s3x://host:9000/lake/x@y');
    expect(hideUserInfo('s3x://key:S3cr/et@host/lake/x')).toBe('s3x://host/lake/x');
    expect(hideUserInfo('key:secret@host/x')).toBe('host/x');
    expect(hideUserInfo('s3x://host:9000/lake/x@y')).toBe('s3x://host:9000/lake/x@y');
    expect(hideUserInfo('s3x://[::1]:9000/lake/x@y')).toBe('s3x://[::1]:9000/lake/x@y');
    expect(hideUserInfo('file:///tmp/a:b@c')).toBe('file:///tmp/a:b@c');
  });
});

function caught(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
}
