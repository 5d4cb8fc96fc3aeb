/** Objects of each format, with what is in them, for the property that a run may be cut anywhere. */
import fc from 'fast-check';
import { maxLineBytes, type Sample } from '../sources/everyCut.js';

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
