import fc from 'fast-check';
import { brotliCompressSync, deflateSync, gzipSync, constants } from 'node:zlib';
import { checkText, codecOf } from '../../src/formats/detect.js';
import { gzip } from '../../src/formats/gzip.js';
import { zstd } from '../../src/formats/zstd.js';
import { snappyFrames } from './compress.js';
import { headBytes, looksLikeText, recognise } from '../../src/formats/recognise.js';

/** The first bytes of files as their programs write them. */
const beginnings: Readonly<Record<string, Buffer>> = {
  'zstd or lz4': Buffer.from([0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]),
  bzip2: Buffer.from([...Buffer.from('BZh91AY&SY'), 0x8b, 0x4f, 0x1a, 0x02]),
  xz: Buffer.from([0xfd, ...Buffer.from('7zXZ'), 0, 0, 4]),
  lz4: Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x64, 0x40]),
  'a zip archive': Buffer.from([...Buffer.from('PK'), 3, 4, 20, 0]),
  'a 7z archive': Buffer.from([...Buffer.from('7z'), 0xbc, 0xaf, 0x27, 0x1c]),
  'a tar archive': Buffer.concat([Buffer.from('a.txt'), Buffer.alloc(252), Buffer.from('ustar\0' + '00')]),
  'a Parquet file': Buffer.from([...Buffer.from('PAR1'), 0x15, 0x04, 0x15, 0x10]),
  'an Avro file': Buffer.from([...Buffer.from('Obj'), 1, 4, 22]),
  'an ORC file': Buffer.from([...Buffer.from('ORC'), 0x0a, 0x06, 0x08, 0x03]),
  'UTF-16': Buffer.from('\uFEFF{"a":1}', 'utf16le'),
  'UTF-32': Buffer.from([0xff, 0xfe, 0, 0, 0x7b, 0, 0, 0]),
};

const stored = (uri: string, head: Buffer | string, more: { encoding?: string; text?: boolean } = {}) =>
  codecOf({
    uri: `s3://lake/${uri}`,
    encoding: more.encoding,
    head: Buffer.from(head),
    whole: true,
    text: more.text ?? true,
  })?.name ?? 'none';

const json = '{"a":1}\n';
const zipped = gzipSync(json);

describe('the codec of an object', () => {
  it.each([
    ['a.json', json, undefined, 'none'],
    ['a.json.gz', zipped, undefined, 'gzip'],
    ['a.json.GZ', zipped, undefined, 'gzip'],
    ['a.json.gzip', zipped, undefined, 'gzip'],
    ['a.json', zipped, undefined, 'gzip'],
    ['a.json', zipped, 'gzip', 'gzip'],
    ['a.json', zipped, 'GZIP', 'gzip'],
    ['a.json', zipped, 'x-gzip', 'gzip'],
    ['a.json', zipped, 'aws-chunked', 'gzip'],
    ['a.json', zipped, 'gzip, aws-chunked', 'gzip'],
    ['a.json', zipped, 'gzip,gzip', 'gzip'],
    ['a.json', zipped, 'br', 'gzip'],
    ['a.zst', zipped, undefined, 'gzip'],
    ['a.json.br', brotliCompressSync(json), undefined, 'brotli'],
    ['a.json', brotliCompressSync(json), 'br', 'brotli'],
    ['a.json', brotliCompressSync(zipped), 'gzip, br', 'brotli'],
    ['a.json.br', brotliCompressSync(''), undefined, 'brotli'],
    ['a.json', brotliCompressSync(''), 'br', 'brotli'],
    ['a.json.br', json, undefined, 'none'],
    ['a.json', ';', 'identity', 'none'],
    ['a.json', snappyFrames(Buffer.from(json)), undefined, 'snappy'],
    ['a.json.sz', snappyFrames(Buffer.from(json)), undefined, 'snappy'],
    ['a.json.snappy', json, undefined, 'none'],
    // What was decompressed on the way, or never compressed.
    ['a.json', json, 'gzip', 'none'],
    ['a.json.gz', json, 'gzip', 'none'],
    ['a.json.gz', json, undefined, 'none'],
    ['a.json', json, 'br', 'none'],
    ['a.json', json, 'identity', 'none'],
    ['a.json', json, 'utf-8', 'none'],
    ['a.json', '', 'gzip', 'none'],
    // Broken: its decoder reports it.
    ['a.json.gz', Buffer.from([0x1f, 0x8b]), undefined, 'gzip'],
    ['a.json', Buffer.from([0, 1, 2, 0xff]), 'gzip', 'gzip'],
    // Text of another encoding, to be replaced or refused line by line.
    ['a.txt', Buffer.from('gr\xfcn', 'latin1'), undefined, 'none'],
  ] as const)('%s with %j and Content-Encoding %s is %s', (uri, head, encoding, codec) => {
    expect(stored(uri, Buffer.from(head), encoding === undefined ? {} : { encoding })).toBe(codec);
  });

  it.each([
    ...['bz2', 'xz', 'lzma', 'lz4', 'lzo', 'Z', 'BZ2'],
    ...['deflate', 'parquet', 'avro', 'orc', 'zip', '7z', 'tar', 'tgz', 'Parquet'],
  ])('.%s is refused by name, whatever the bytes', (ending) => {
    for (const head of [json, Buffer.from([0, 1, 2, 0xff])]) {
      expect(() => stored(`a.${ending}`, head)).toThrow(
        expect.objectContaining({ code: 'UnknownCodec', retryable: false }) as Error,
      );
      expect(() => stored(`a.${ending}`, head)).toThrow(
        new RegExp(`s3://lake/a.${ending}\\b.*\\.${ending}`, 'i'),
      );
    }
  });

  it.each([
    ['deflate', deflateSync(json)],
    ['compress', Buffer.from([0xfd, 0x2f, 0xb5])],
    ['squeezed', Buffer.from([0, 1, 2])],
  ])('Content-Encoding: %s is refused, unless the bytes are text', (encoding, head) => {
    expect(() => stored('a.json', head, { encoding })).toThrow(/s3:\/\/lake\/a\.json.*Content-Encoding is/);
    expect(stored('a.json', json, { encoding })).toBe('none');
  });

  it('zstd is decompressed where Node can, and refused with what it needs elsewhere', () => {
    const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x58, 0x41, 0, 0]);
    for (const uri of ['a', 'a.json', 'a.zst', 'a.gz']) {
      if (zstd !== undefined) expect(stored(uri, head)).toBe('zstd');
      else
        expect(() => stored(uri, head)).toThrow(
          expect.objectContaining({
            code: 'UnknownCodec',
            message: expect.stringContaining('zstd, which needs Node 22.15 or later') as string,
          }) as Error,
        );
    }
  });

  it.each(Object.entries(beginnings))(
    '%s is recognized by its first bytes, named and refused',
    (name, head) => {
      for (const uri of ['a', 'a.json', 'a.gz']) {
        expect(() => stored(uri, head)).toThrow(name);
        expect(() => stored(uri, head)).toThrow(
          expect.objectContaining({ code: name.startsWith('UTF') ? 'NotUtf8' : 'UnknownCodec' }) as Error,
        );
      }
    },
  );

  it.each(['{"a":1}', '"x"', '\uFEFF{}'])(
    '%s in UTF-16 is refused in both byte orders, with and without a byte order mark',
    (text) => {
      const little = Buffer.from(text, 'utf16le');
      for (const head of [little, Buffer.from(little).swap16()]) {
        expect(() => stored('a.json', head)).toThrow(expect.objectContaining({ code: 'NotUtf8' }) as Error);
      }
    },
  );

  it.each([
    [
      'zeros',
      brotliCompressSync(`${'x'.repeat(256)}\n`, { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } }),
    ],
    ['a byte order mark', Buffer.from([0xff, 0xfe, 0x80, 3])],
  ])('brotli that begins like UTF-16, with %s, is brotli', (_, head) => {
    expect(stored('a.json.br', head)).toBe('brotli');
    expect(stored('a.json', head, { encoding: 'br' })).toBe('brotli');
  });

  it('accepts text that begins like another file type', () => {
    for (const head of ['ORC attack\n', 'PAR1,PAR2\n', 'BZh9 is bzip2\n', 'SEQ\n', 'PK\n', 'ARROW1\n']) {
      expect(stored('a.txt', head)).toBe('none');
    }
  });

  it('passes other bytes unchanged, unless a declared compression is confirmed', () => {
    const any = { text: false };
    for (const name of ['a Parquet file', 'a zip archive', 'lz4', 'UTF-16', 'a tar archive']) {
      expect(stored('images/a.bin', beginnings[name]!, any)).toBe('none');
      expect(stored('images/a.bin', beginnings[name]!, { ...any, encoding: 'gzip' })).toBe('none');
    }
    expect(stored('a.parquet', beginnings['a Parquet file']!, any)).toBe('none');
    expect(stored('a.tgz', zipped, any)).toBe('none');
    expect(stored('a.tar.gz', zipped, any)).toBe('gzip');
    expect(stored('a.bin', zipped, any)).toBe('none');
    expect(stored('a.bin', zipped, { ...any, encoding: 'gzip' })).toBe('gzip');
    expect(stored('a.gz', json, any)).toBe('gzip');
    expect(() => stored('a.lz4', json, any)).toThrow('lz4');
    expect(() => stored('a', beginnings['lz4']!, { ...any, encoding: 'lz4' })).toThrow('lz4');
    expect(stored('a', brotliCompressSync('x'), { ...any, encoding: 'br' })).toBe('brotli');
    expect(stored('a.sz', snappyFrames(Buffer.from('x')), any)).toBe('snappy');
    expect(stored('a.bin', snappyFrames(Buffer.from('x')), any)).toBe('none');
  });

  it('refuses binary content inside gzip', () => {
    expect(() => checkText('s3://lake/a.gz', zipped, gzip)).toThrow('compressed twice');
    expect(() => checkText('s3://lake/a.tgz', beginnings['a tar archive']!, gzip)).toThrow('a tar archive');
    expect(() => checkText('s3://lake/a.gz', Buffer.from(json, 'utf16le'), gzip)).toThrow('UTF-16');
    // The user has set no compression: but it must be text.
    expect(() => checkText('s3://lake/a.gz', zipped, undefined)).not.toThrow();
    expect(() => checkText('s3://lake/a', Buffer.from('\uFEFFa', 'utf16le'), undefined)).toThrow('UTF-16');
  });
});

describe('text', () => {
  it('is recognized wherever its head is cut, and never mistaken for another type', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', minLength: 1, maxLength: 400 }),
        fc.nat(headBytes),
        (text, cut) => {
          const clean = text.replace(/\p{Cc}/gu, ' ');
          const bytes = Buffer.from(clean);
          expect(looksLikeText(bytes, true)).toBe(true);
          expect(looksLikeText(bytes.subarray(0, cut), cut >= bytes.length)).toBe(true);
          expect(recognise(bytes)).toBeUndefined();
        },
      ),
    );
  });

  it('does not include other bytes', () => {
    expect(looksLikeText(Buffer.from([0x61, 0]), true)).toBe(false);
    for (const bytes of [[0x61, 0xff, 0x62], [0x61, 0xff], [0xc3, 0x28], [0xe2, 0x28, 0xa1], [0x80]])
      expect(looksLikeText(Buffer.from(bytes), false)).toBe(false);
    expect(looksLikeText(Buffer.from([0xe2, 0x82]), true)).toBe(false);
    expect(looksLikeText(Buffer.from('\t\r\n\f\u001b[1m'), true)).toBe(true);
  });
});
