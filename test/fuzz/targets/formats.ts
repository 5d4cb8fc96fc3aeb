import { brotliCompressSync, gzipSync } from 'node:zlib';
import { codecOf } from '#src/formats/detect.js';
import type { Codec } from '#src/formats/decompressor.js';
import { brotli } from '#src/formats/brotli.js';
import { gzip } from '#src/formats/gzip.js';
import { snappy } from '#src/formats/snappy.js';
import { ZstdFinder } from '#src/formats/zstd.js';
import { parseGzipHeader } from '#src/formats/gzipHeader.js';
import { headBytes } from '#src/formats/recognise.js';
import { bytes, csv, jsonArray, lengthPrefixed, ndjson, text, whole } from 'millrace';
import { snappyFrames } from '../../formats/compress.js';
import { between, pick } from '../../simulation/random.js';
import { decodeAll } from '../decodeAll.js';
import { mutated, noise } from '../mutate.js';
import { target } from '../target.js';

const lines = [
  '{"id":144126219108390099,"name":"Grüße","nested":[1,{"a":null}],"price":1.20000000000000000000000000005}',
  '{"id":1,"ok":true,"text":"\\u0000\\ud83d\\ude00"}',
  '',
  '[[[[[[[[[[1]]]]]]]]]]',
  '"alone"',
].join('\n');

const table = '\uFEFFsep=;\r\n#c\r\n"a";b;c\r\n"1\n1";"2""2" ; \'3\'\r\n\r\nä;"5;6\r\n\\\';;\n';

/** Decompresses all of it, in chunks of `size`. */
async function decompress(codec: Codec, input: Buffer, size: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    let at = 0;
    let finished = false;
    const step = (): void => {
      while (decoder.read() !== undefined);
      if (decoder.over) {
        decoder.close();
        resolve();
      } else if (decoder.hungry && at < input.length) {
        decoder.push(input.subarray(at, (at += size)));
        setImmediate(step);
      } else if (decoder.hungry && !finished) {
        finished = true;
        decoder.finish();
        setImmediate(step);
      }
    };
    const decoder = codec.open({
      object: 's3://lake/a.gz',
      from: { at: 0, offset: 0 },
      ready: step,
      fail: (error) => {
        decoder.close();
        reject(error);
      },
    });
    step();
  });
}

export const formatTargets = [
  target({
    name: 'ndjson',
    errors: [],
    draw: (random) => mutated(random, Buffer.from(lines)),
    run: (input: Buffer) => {
      decodeAll(ndjson(), input);
    },
  }),
  target({
    name: 'csv',
    errors: [],
    draw: (random) => mutated(random, Buffer.from(table)),
    run: (input: Buffer) => {
      decodeAll(csv({ comment: '#' }), input);
      decodeAll(csv({ header: false, trim: true, quote: "'", escape: '\\' }), input);
    },
  }),
  target({
    name: 'json array',
    errors: [],
    draw: (random) => mutated(random, Buffer.from(`\uFEFF[${lines.split('\n').join(',\n')}]\n`)),
    run: (input: Buffer) => {
      decodeAll(jsonArray(), input);
    },
  }),
  target({
    name: 'length prefixed',
    errors: [],
    draw: (random) => mutated(random, Buffer.from('0000000161000000026162ff0100000300616161', 'hex')),
    run: (input: Buffer) => {
      for (const size of [1, 2, 4, 8, 'varint'] as const) decodeAll(lengthPrefixed({ bytes: size }), input);
    },
  }),
  target({
    name: 'text and bytes',
    errors: [],
    draw: (random) => mutated(random, Buffer.from(lines)),
    run: (input: Buffer) => {
      decodeAll(text(), input);
      decodeAll(text({ lineEnd: 'any' }), input);
      decodeAll(text({ lineEnd: '\n\n' }), input);
      decodeAll(bytes(), input);
      decodeAll(whole(), input);
    },
  }),
  target({
    name: 'gzip',
    errors: ['Integrity'],
    draw: (random) => ({
      input: mutated(random, Buffer.concat([gzipSync(lines), gzipSync(''), gzipSync('x'.repeat(9000))])),
      size: between(random, 1, 200),
    }),
    run: ({ input, size }: { input: Buffer; size: number }) => decompress(gzip, input, size),
  }),
  target({
    name: 'brotli and snappy',
    errors: ['Integrity'],
    draw: (random) => ({
      brotli: mutated(random, brotliCompressSync(lines)),
      snappy: mutated(
        random,
        Buffer.concat([snappyFrames(Buffer.from(lines)), snappyFrames(Buffer.alloc(9000))]),
      ),
      size: between(random, 1, 200),
    }),
    run: async (input: { brotli: Buffer; snappy: Buffer; size: number }) => {
      await decompress(snappy, input.snappy, input.size);
      await decompress(brotli, input.brotli, input.size);
    },
  }),
  target({
    name: 'zstd frames',
    errors: [],
    draw: (random) =>
      mutated(
        random,
        Buffer.from('28b52ffd04581900006162630a0b0c0d502a4d1803000000aabbcc28b52ffd2000010000', 'hex'),
      ),
    run: (input: Buffer) => {
      const finder = new ZstdFinder();
      for (let at = 0; at < input.length;) {
        const taken = finder.take(input.subarray(at, at + 5));
        if (typeof taken === 'string') return;
        at += taken.bytes;
      }
    },
  }),
  target({
    name: 'gzip header',
    errors: [],
    draw: (random) =>
      mutated(random, Buffer.from('1f8b081f0000000002ff0400abcd0102616263006465660099aa', 'hex')),
    run: parseGzipHeader,
  }),
  target({
    name: 'codec of an object',
    errors: ['UnknownCodec', 'NotUtf8'],
    draw: (random) => ({
      uri: `s3://lake/a${pick(random, ['', '.gz', '.zst', '.ndjson', '.parquet', '.'])}`,
      encoding: pick(random, ['', 'gzip', 'aws-chunked, gzip', 'br', ',', '=']),
      head: (between(random, 0, 1) === 0
        ? mutated(random, Buffer.from(lines))
        : noise(random, between(random, 0, headBytes))
      ).subarray(0, headBytes),
      whole: between(random, 0, 1) === 0,
      text: between(random, 0, 1) === 0,
    }),
    run: codecOf,
  }),
];
