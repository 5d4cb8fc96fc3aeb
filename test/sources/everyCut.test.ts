import type fc from 'fast-check';
import { avro } from '../../src/formats/avro/index.js';
import { bytes } from '../../src/formats/bytes.js';
import { csv } from '../../src/formats/csv/csv.js';
import { jsonArray } from '../../src/formats/jsonArray.js';
import { lengthPrefixed } from '../../src/formats/lengthPrefixed.js';
import { ndjson } from '../../src/formats/ndjson.js';
import { parquet } from '../../src/formats/parquet/index.js';
import type { Reader } from '../../src/formats/reader.js';
import { text } from '../../src/formats/text.js';
import { whole, type WholeObject } from '../../src/formats/whole.js';
import type { FilesOptions } from '../../src/sources/files.js';
import {
  avroSample,
  bytesSample,
  csvSample,
  framesSample,
  jsonArraySample,
  ndjsonSample,
  parquetSample,
  shorter,
  shorterThan,
  tableSchema,
  textSample,
  wholeSample,
} from '../formats/samples.js';
import { everyCut, type Cutting, type Sample } from './everyCut.js';

type Case = readonly [string, FilesOptions<unknown>['format'], fc.Arbitrary<Sample<unknown>>, Cutting?];

/** A reader with other records for each of its own. */
const mapped = <A, B>(reader: Reader<A>, each: (record: A, on: (record: B) => void) => void): Reader<B> => ({
  ...reader,
  decoder(start) {
    const decoder = reader.decoder(start);
    return {
      ...decoder,
      decode: (block, at, line, on, malformed) =>
        decoder.decode(block, at, line, (record) => each(record, on), malformed),
    };
  },
});

/** Without the URI. */
const contents = mapped<WholeObject, Uint8Array>(whole(), ({ content }, on) => on(content));

/** Blocks are cut anywhere, so their bytes are compared. */
const eachByte = mapped<Uint8Array, number>(bytes(), (piece, on) => piece.forEach((byte) => on(byte)));

/** A new format is a line. */
const formats: readonly Case[] = [
  ['ndjson', ndjson(), ndjsonSample],
  ['csv', csv({ comment: '#' }), csvSample],
  ['text', text(), textSample('\n', /\r?\n/)],
  ['text with any line end', text({ lineEnd: 'any' }), textSample('any', /\r\n|\r|\n/)],
  ['text with a delimiter that overlaps itself', text({ lineEnd: '\n\n' }), textSample('\n\n', '\n\n')],
  ['text with a delimiter of several bytes', text({ lineEnd: '€a' }), textSample('€a', '€a')],
  [
    'text with a schema',
    text({ lineEnd: 'any', schema: shorterThan(6) }),
    shorter(6, textSample('any', /\r\n|\r|\n/)),
  ],
  ['a JSON array', jsonArray(), jsonArraySample],
  ['frames', lengthPrefixed({ bytes: 2, max: 20 }), framesSample({ bytes: 2, endian: 'big' }, 20)],
  [
    'frames, little-endian',
    lengthPrefixed({ bytes: 4, endian: 'little' }),
    framesSample({ bytes: 4, endian: 'little' }),
  ],
  ['frames of 8', lengthPrefixed({ bytes: 8 }), framesSample({ bytes: 8, endian: 'big' })],
  [
    'frames of varints',
    lengthPrefixed({ bytes: 'varint' }),
    framesSample({ bytes: 'varint', endian: 'big' }),
  ],
  [
    'frames with a schema',
    lengthPrefixed({ bytes: 1, schema: shorterThan(20) }),
    shorter(20, framesSample({ bytes: 1, endian: 'big' })),
  ],
  ['whole objects', contents, wholeSample],
  ['bytes', eachByte, bytesSample],
  ['avro', avro(), avroSample, { maxLineBytes: 1000, fragment: 300 }],
  ['parquet', parquet({ schema: tableSchema }), parquetSample, { fragment: 1000, compressed: false }],
];

describe('a run that is cut after any record, at any fragment, equals the whole', () => {
  it.each(formats.map(([name, ...given]) => ({ name, given })))('$name', ({ given }) => everyCut(...given));
});
