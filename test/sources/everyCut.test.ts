import type fc from 'fast-check';
import { csv } from '../../src/formats/csv/csv.js';
import { ndjson } from '../../src/formats/ndjson.js';
import type { Reader } from '../../src/formats/reader.js';
import { csvSample, ndjsonSample } from '../formats/samples.js';
import { everyCut, type Sample } from './everyCut.js';

type Case = readonly [string, Reader<unknown>, fc.Arbitrary<Sample<unknown>>];

/** A new format is a line. */
const formats: readonly Case[] = [
  ['ndjson', ndjson(), ndjsonSample],
  ['csv', csv({ comment: '#' }), csvSample],
];

describe('a run that is cut after any record, at any fragment, equals the whole', () => {
  it.each(formats)('%s', (_, format, sample) => everyCut(format, sample));
});
