import type fc from 'fast-check';
import { csv } from '../../src/formats/csv/csv.js';
import { jsonArray } from '../../src/formats/jsonArray.js';
import { lengthPrefixed } from '../../src/formats/lengthPrefixed.js';
import { ndjson } from '../../src/formats/ndjson.js';
import type { Reader } from '../../src/formats/reader.js';
import { text } from '../../src/formats/text.js';
import { whole } from '../../src/formats/whole.js';
import {
  csvSample,
  framesSample,
  jsonArraySample,
  ndjsonSample,
  textSample,
  wholeSample,
} from '../formats/samples.js';
import { everyCut, type Sample } from './everyCut.js';

type Case = readonly [string, Reader<unknown>, fc.Arbitrary<Sample<unknown>>];

/** Without the URI. */
const contents: Reader<Uint8Array> = {
  ...whole(),
  decoder(start) {
    const decoder = whole().decoder(start);
    return {
      ...decoder,
      decode: (block, at, line, on, malformed) =>
        decoder.decode(block, at, line, ({ content }) => on(content), malformed),
    };
  },
};

/** A new format is a line. */
const formats: readonly Case[] = [
  ['ndjson', ndjson(), ndjsonSample],
  ['csv', csv({ comment: '#' }), csvSample],
  ['text', text(), textSample('\n', /\r?\n/)],
  ['text with any line end', text({ lineEnd: 'any' }), textSample('any', /\r\n|\r|\n/)],
  ['text with a delimiter that overlaps itself', text({ lineEnd: '\n\n' }), textSample('\n\n', '\n\n')],
  ['text with a delimiter of several bytes', text({ lineEnd: '€a' }), textSample('€a', '€a')],
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
  ['whole objects', contents, wholeSample],
];

describe('a run that is cut after any record, at any fragment, equals the whole', () => {
  it.each(formats)('%s', (_, format, sample) => everyCut(format, sample));
});
