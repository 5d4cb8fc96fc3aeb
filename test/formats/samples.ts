/** Objects of each format, with what is in them, for the property that a run may be cut anywhere. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import fc from 'fast-check';
import { avro } from '../../src/formats/avro/index.js';
import { writePrefix, type LengthPrefix } from '../../src/formats/frames.js';
import { parquet, types } from '../../src/formats/parquet/index.js';
import { maxLineBytes, type Sample } from '../sources/everyCut.js';
import { fileOf } from './parquet/files.js';

/** A schema of strings and bytes: each is put into a list. */
export const shorterThan = (most: number): StandardSchemaV1<unknown, readonly unknown[]> => ({
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) =>
      (value as string | Uint8Array).length < most
        ? { value: [value] }
        : { issues: [{ message: 'too long' }] },
  },
});

/** The same objects, read with `shorterThan`. */
export const shorter = <T extends string | Uint8Array>(
  most: number,
  sample: fc.Arbitrary<Sample<T>>,
): fc.Arbitrary<Sample<unknown>> =>
  sample.map(({ content, records, malformed }) => {
    const good = records.filter(({ length }) => length < most);
    const rejected = records.length - good.length;
    return { content, records: good.map((each) => [each]), malformed: malformed + rejected };
  });

const fits = (line: string): boolean => Buffer.byteLength(line) <= maxLineBytes;

export const ndjsonSample: fc.Arbitrary<Sample<unknown>> = fc
  .array(
    fc.oneof(
      fc
        .oneof(fc.string(), fc.integer(), fc.dictionary(fc.string(), fc.boolean(), { maxKeys: 2 }))
        .map((value) => ({ value, line: JSON.stringify(value) })),
      fc.constantFrom(
        { value: 144126219108390099n, line: '144126219108390099' },
        { value: undefined, line: '' },
        { value: undefined, line: '{' },
      ),
    ),
    { maxLength: 10 },
  )
  .map((lines) => {
    const good = lines.filter(({ line }) => line !== '' && line !== '{' && fits(`${line}\n`));
    return {
      content: Buffer.from(lines.map(({ line }) => `${line}\n`).join('')),
      records: good.map(({ value }) =>
        typeof value === 'bigint' ? value : (JSON.parse(JSON.stringify(value)) as unknown),
      ),
      malformed: lines.filter(({ line }) => line !== '').length - good.length,
    };
  });

const csvValue = fc.string({
  unit: fc.constantFrom('a', 'ä', ',', ';', '"', '\n', '\r', '#', ' ', '\u0001', '=', '\uFEFF'),
  maxLength: 6,
});

/** Tables as programs write them: with any line ends, blank lines, comments, quotes where they are not needed, and ragged rows. */
export const csvSample: fc.Arbitrary<Sample<unknown>> = fc
  .record({
    header: fc.uniqueArray(csvValue, {
      minLength: 1,
      maxLength: 3,
      selector: (name) => name.replace(/^\uFEFF+/, ''),
    }),
    rows: fc.array(
      fc.oneof(
        { weight: 5, arbitrary: fc.array(csvValue, { minLength: 1, maxLength: 4 }) },
        fc.constantFrom('', '#', '# it"s, "a" comment', '#,"'),
      ),
      { maxLength: 8 },
    ),
    quoted: fc.array(fc.boolean(), { minLength: 1, maxLength: 9 }),
    ends: fc.constantFrom(['\n'], ['\r\n'], ['\n', '\r\n'], ['\r']),
    mark: fc.constantFrom('', '\uFEFF'),
    separator: fc.constantFrom(undefined, ';', ','),
    ended: fc.boolean(),
  })
  .map(({ header, rows, quoted, ends, mark, separator, ended }) => {
    const delimiter = separator ?? ',';
    let n = 0;
    const line = (values: readonly string[]): string =>
      values
        .map((value, i) => {
          const needed =
            /[\r\n]|^"/.test(value) ||
            value.includes(delimiter) ||
            (i === 0 && /^[\uFEFF#]|^sep=/.test(value));
          return needed || quoted[n++ % quoted.length] === true ? `"${value.replaceAll('"', '""')}"` : value;
        })
        .join(delimiter);
    const all: (string | readonly string[])[] = [header, ...rows];
    const lines = all.map((row) => (typeof row === 'string' ? row : line(row)));
    if (separator !== undefined) {
      lines.unshift(`sep=${separator}`);
      all.unshift('#');
    }
    const whole = lines.map((text, i) => (i === 0 ? mark : '') + text + (ends[i % ends.length] ?? ''));
    if (!ended) whole.push((whole.pop() ?? '').replace(/(\r\n|\n|\r)$/, ''));
    let names: string[] | undefined;
    let malformed = 0;
    const records: unknown[] = [];
    for (const [i, row] of all.entries()) {
      if (typeof row === 'string' || lines[i] === '') continue;
      if (!fits(whole[i] ?? '')) {
        names ??= [];
        malformed++;
      } else if (names === undefined) {
        names = row.map((name, c) => (name === '' ? `column${c + 1}` : name));
        if (new Set(names).size < names.length) {
          names = [];
          malformed++;
        }
      } else if (row.length === names.length)
        records.push(Object.fromEntries(names.map((name, c) => [name, row[c]])));
      else malformed++;
    }
    return { content: Buffer.from(whole.join('')), records, malformed };
  });

/** Any characters, many of them of line ends. `split` is how `String.split` finds the lines. */
export const textSample = (lineEnd: string, split: string | RegExp): fc.Arbitrary<Sample<string>> =>
  fc
    .array(
      fc.oneof(
        fc.string({ unit: fc.constantFrom('a', 'ä', '€', '\n', '\r', ' '), maxLength: 12 }),
        fc.constantFrom(lineEnd === 'any' ? '\r\n' : lineEnd, '\uFEFF', 'x'.repeat(50)),
      ),
      { maxLength: 12 },
    )
    .map((parts) => {
      const content = parts.join('');
      const all = content.split(split);
      // Ends of lines, to know their lengths.
      const ends = content.match(new RegExp(split, 'g')) ?? [];
      const last = all.pop() ?? '';
      const lines = all.map((text, i) => ({ text, length: Buffer.byteLength(text + (ends[i] ?? '')) }));
      // At the end, a carriage return may be the beginning of a line end.
      if (last !== '')
        lines.push({
          text: lineEnd === '\n' ? last.replace(/\r$/, '') : last,
          length: Buffer.byteLength(last),
        });
      const good = lines
        .filter(({ length }) => length <= maxLineBytes)
        .map(({ text }) => text.replace(/^\uFEFF/, ''));
      const lone = last === '\uFEFF' ? 1 : 0;
      return {
        content: Buffer.from(content),
        records: good.slice(0, good.length - lone),
        malformed: lines.length - good.length,
      };
    });

const blank = fc.constantFrom('', ' ', '\n', '\r\n\t');

/** Arrays as programs write them, with elements that are not JSON among them. */
export const jsonArraySample: fc.Arbitrary<Sample<unknown>> = fc
  .record({
    mark: fc.constantFrom('', '\uFEFF', '\n '),
    elements: fc.array(
      fc.record({
        before: blank,
        after: blank,
        element: fc.oneof(
          fc
            .oneof(
              fc.string({
                unit: fc.constantFrom('a', '"', '\\', '[', ']', ',', '{', 'ä', '\n'),
                maxLength: 8,
              }),
              fc.integer(),
              fc.array(fc.constantFrom(1, 'x,', null), { maxLength: 3 }),
              fc.dictionary(fc.constantFrom('a', ']', ','), fc.array(fc.boolean(), { maxLength: 2 })),
            )
            .map((value) => ({ value: value, json: JSON.stringify(value), good: true })),
          fc.constantFrom(
            { value: 144126219108390099n, json: '144126219108390099', good: true },
            { value: undefined, json: '{"a":}', good: false },
            { value: undefined, json: 'x', good: false },
            { value: undefined, json: '', good: false },
          ),
        ),
      }),
      { maxLength: 8 },
    ),
    end: fc.constantFrom(']', ']\n', '] x', ''),
  })
  .map(({ mark, elements, end }) => {
    const closed = end.startsWith(']');
    let content = `${mark}[`;
    const records: unknown[] = [];
    let malformed = 0;
    let unit = content;
    for (const [i, { before, element, after }] of elements.entries()) {
      const isLast = i === elements.length - 1;
      const text = before + element.json + after + (isLast ? (closed ? ']' : '') : ',');
      content += text;
      unit += text;
      const fits = Buffer.byteLength(unit) <= maxLineBytes;
      unit = '';
      const isNone = isLast && closed && element.json === '';
      const isEnd = isLast && !closed;
      if (fits && isNone) continue;
      if (fits && !isEnd && element.good) records.push(element.value);
      else malformed++;
    }
    if (elements.length === 0) {
      content += closed ? ']' : '';
      if (!closed) malformed++;
    }
    content += end.slice(1);
    if (end === '] x') malformed++;
    return { content: Buffer.from(content), records, malformed };
  });

/** Frames, with one cut short at the end. */
export const framesSample = (prefix: LengthPrefix, max = Infinity): fc.Arbitrary<Sample<Buffer>> =>
  fc
    .record({ frames: fc.array(fc.uint8Array({ maxLength: 45 }), { maxLength: 10 }), cut: fc.boolean() })
    .map(({ frames, cut }) => {
      const whole = frames.map((content) => Buffer.concat([writePrefix(prefix, content.length)!, content]));
      const last = whole.at(-1);
      const short = cut && last !== undefined && last.length > 1;
      if (short) whole[whole.length - 1] = last.subarray(0, -1);
      const good = frames.filter(
        (content, i) =>
          content.length <= max && whole[i]!.length <= maxLineBytes && !(short && i === frames.length - 1),
      );
      return {
        content: Buffer.concat(whole),
        records: good.map((content) => Buffer.from(content)),
        malformed: frames.length - good.length,
      };
    });

export const wholeSample: fc.Arbitrary<Sample<Uint8Array>> = fc.uint8Array({ maxLength: 60 }).map((bytes) => {
  const content = Buffer.from(bytes);
  const good = content.length > 0 && content.length <= maxLineBytes;
  return {
    content,
    records: good ? [content] : [],
    malformed: content.length > maxLineBytes ? 1 : 0,
  };
});

/** Every byte is a record. */
export const bytesSample: fc.Arbitrary<Sample<number>> = fc
  .uint8Array({ maxLength: 60 })
  .map((bytes) => ({ content: Buffer.from(bytes), records: [...bytes], malformed: 0 }));

const tableRows = fc.array(fc.record({ n: fc.integer(), text: fc.string() }), { maxLength: 12 });

/** Containers, with one or more records in a block. */
export const avroSample: fc.Arbitrary<Sample<unknown>> = fc
  .record({
    rows: tableRows,
    block: fc.constantFrom(1, 20),
    codec: fc.constantFrom('null', 'deflate', 'snappy'),
  })
  .map(({ rows, block, codec }) => {
    const fields = [
      { name: 'n', type: 'long' },
      { name: 'text', type: 'string' },
    ];
    const format = avro({ avroSchema: { type: 'record', name: 'Row', fields }, block, codec });
    return { content: fileOf(format, rows), records: rows, malformed: 0 };
  });

export const tableSchema = { n: types.int64, text: types.string };

/** Files with row groups of a few rows. */
export const parquetSample: fc.Arbitrary<Sample<unknown>> = fc
  .record({ rows: tableRows, group: fc.integer({ min: 1, max: 5 }) })
  .map(({ rows, group }) => {
    const format = parquet({ schema: tableSchema, rowGroup: { rows: group } });
    return { content: fileOf(format, rows), records: rows, malformed: 0 };
  });
