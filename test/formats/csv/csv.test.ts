import fc from 'fast-check';
import { expectTypeOf } from 'expect-type';
import type { Json } from '../../../src/flow/index.js';
import { csv, type CsvOptions, type CsvRow } from '../../../src/formats/csv/csv.js';
import { JsonNumber } from '../../../src/formats/jsonNumbers.js';
import type { Malformed } from '../../../src/formats/reader.js';
import { fileSink } from '../../../src/sinks/file/fileSink.js';
import { atStart } from '../atStart.js';
import { decodeAll } from '../decodeAll.js';

const read = (content: string | Buffer, options: CsvOptions<CsvRow> = {}) => decodeAll(csv(options), content);

function write(records: readonly unknown[], options: CsvOptions<never> = {}): string {
  let written = '';
  const encoder = csv(options).open({ write: (chunk) => (written += String(chunk)) });
  for (const record of records) encoder.write(record as object);
  encoder.finish();
  return written;
}

/** What is malformed if every row has a decoder of its own, which knows the state after the row before. */
function resumedAtEachRow(content: string): Malformed[] {
  const bytes = Buffer.from(content);
  const bad: Malformed[] = [];
  let state: Json | undefined;
  let line = 1;
  for (let at = 0; at < bytes.length;) {
    const decoder = csv().decoder({ ...atStart, offset: at, state });
    const end = decoder.first(bytes, at, bytes.length);
    const row = bytes.subarray(at, end < 0 ? bytes.length : end);
    line += decoder.decode(
      row,
      at,
      line,
      () => undefined,
      (each) => bad.push(each),
    );
    state = JSON.parse(JSON.stringify(decoder.state?.())) as Json;
    expect(csv().isState?.(state)).toBe(true);
    at += row.length;
  }
  return bad;
}

describe('csv reads', () => {
  it.each<[string, string, CsvOptions<CsvRow>, readonly unknown[]]>([
    ['a header and rows', 'a,b\n1,2\n', {}, [{ a: '1', b: '2' }]],
    ['a last row without a line end', 'a,b\n1,2', {}, [{ a: '1', b: '2' }]],
    ['CRLF', 'a,b\r\n1,2\r\n', {}, [{ a: '1', b: '2' }]],
    [
      'lone CR',
      'a,b\r1,2\r3,4',
      {},
      [
        { a: '1', b: '2' },
        { a: '3', b: '4' },
      ],
    ],
    [
      'lone CR first, then CRLF',
      'a,b\r1,2\r\n3,4\r\n',
      {},
      [
        { a: '1', b: '2' },
        { a: '3', b: '4' },
      ],
    ],
    [
      'lone CR first, then LF',
      'a,b\r1,2\n3,"4\r"\n',
      {},
      [
        { a: '1', b: '2' },
        { a: '3', b: '4\r' },
      ],
    ],
    ['an empty line with a lone CR, then LF', '\ra,b\n1,2\n', {}, [{ a: '1', b: '2' }]],
    ['sep= with a lone CR, then LF', 'sep=;\ra;b\n1;2\n', {}, [{ a: '1', b: '2' }]],
    ['a comment with a lone CR, then LF', '#c\ra,b\n1,2\n', { comment: '#' }, [{ a: '1', b: '2' }]],
    ['LF and CRLF mixed', 'a\n1\r\n2\n', {}, [{ a: '1' }, { a: '2' }]],
    ['a lone CR in a value', 'a,b\n1\r1,2\n', {}, [{ a: '1\r1', b: '2' }]],
    ['a quoted CR at the end of a row', 'a,b\n1,"2\r"\r\n', {}, [{ a: '1', b: '2\r' }]],
    ['quoted values', 'a,b\n"1,1","2"\n', {}, [{ a: '1,1', b: '2' }]],
    ['line ends in quotes, unchanged', 'a,b\r\n"1\n1","2\r\n2"\r\n', {}, [{ a: '1\n1', b: '2\r\n2' }]],
    ['doubled quotes', 'a,b\n"""1""","""",\n"",""""\n', {}, [{ a: '', b: '"' }]],
    ['quotes in values', 'a,b\n1" pipe,x"y"\n', {}, [{ a: '1" pipe', b: 'x"y"' }]],
    ['spaces as part of values', 'a,b\n 1 , 2\n', {}, [{ a: ' 1 ', b: ' 2' }]],
    ['spaces after a closing quote', 'a,b\n"1" ,"2" \n', {}, [{ a: '1', b: '2' }]],
    ['blank lines, as none', '\n\na,b\n\n1,2\n\r\n', {}, [{ a: '1', b: '2' }]],
    ['a row of empty values', 'a,b\n,\n', {}, [{ a: '', b: '' }]],
    ['a quoted empty value', 'a\n""\n\n', {}, [{ a: '' }]],
    ['a byte order mark', '\uFEFFa,b\n1,2\n', {}, [{ a: '1', b: '2' }]],
    ['a byte order mark before quotes', '\uFEFF"a,a",b\n1,2\n', {}, [{ 'a,a': '1', b: '2' }]],
    ['a separator line', 'sep=;\na;b\n1,1;2\n', {}, [{ a: '1,1', b: '2' }]],
    [
      'a separator line after a mark, CRLF',
      '\uFEFFsep=\t\r\na\tb\r\n1\t"2\t"\r\n',
      {},
      [{ a: '1', b: '2\t' }],
    ],
    ['sep= elsewhere, as a value', 'a\nsep=;\n', {}, [{ a: 'sep=;' }]],
    ['a column without a name', 'a,\n1,2\n', {}, [{ a: '1', column2: '2' }]],
    ['formulas, as they are', 'a,b\n=1+1,"=HYPERLINK(""x"")"\n', {}, [{ a: '=1+1', b: '=HYPERLINK("x")' }]],
    ['NUL', 'a,b\n1\0,2\n', {}, [{ a: '1\0', b: '2' }]],
    ['an empty object', '', {}, []],
    ['only a header', 'a,b\n', {}, []],
    ['another delimiter', 'a;b\n1,1;2\n', { delimiter: ';' }, [{ a: '1,1', b: '2' }]],
    ['other quotes', "a,b\n'1,1','it''s'\n", { quote: "'" }, [{ a: '1,1', b: "it's" }]],
    ['no quotes', 'a|b\n"1|2\n', { quote: false, delimiter: '|' }, [{ a: '"1', b: '2' }]],
    ['an escape character', 'a,b\n"1\\"\n,",2\n', { escape: '\\' }, [{ a: '1"\n,', b: '2' }]],
    ['comments', '# "x\na,b\n# it"s,"\n1,#2\n', { comment: '#' }, [{ a: '1', b: '#2' }]],
    [
      'trimmed values',
      ' a , "b, b" \n 1\t, "2, ""2""" \n \n',
      { trim: true },
      [{ a: '1', 'b, b': '2, "2"' }],
    ],
    ['names that are given', '1,2\n', { header: ['x', 'y'] }, [{ x: '1', y: '2' }]],
    ['arrays of any length', '1,2\n3\n\n4,5,6\n', { header: false }, [['1', '2'], ['3'], ['4', '5', '6']]],
  ])('%s', (_, content, options, records) => {
    for (const block of [1, 7, 16 * 1024]) {
      const decoded = decodeAll(csv(options), content, block);
      expect(decoded.records).toEqual(records);
    }
  });

  it('never sets the prototype of a record', () => {
    const [record] = read('__proto__,b\nx,1\n').records;
    expect(Object.getPrototypeOf(record)).toBe(Object.prototype);
    expect(Object.entries(record ?? {})).toEqual([
      ['__proto__', 'x'],
      ['b', '1'],
    ]);
  });
});

describe('csv: malformed rows', () => {
  it('have their place, whatever the line ends in quotes before them', () => {
    const content = 'a,b\n"1\n\n1",2\nx\n"ä\n",3\n1,2,3\n5,6\n';
    for (const block of [1, 16, 16 * 1024]) {
      const { records, bad, lines } = decodeAll(csv(), content, block);
      expect(records).toEqual([
        { a: '1\n\n1', b: '2' },
        { a: 'ä\n', b: '3' },
        { a: '5', b: '6' },
      ]);
      expect(bad).toEqual([
        { offset: 13, length: 1, line: 5, text: 'x', reason: '1 value instead of 2' },
        { offset: 23, length: 5, line: 8, text: '1,2,3', reason: '3 values instead of 2' },
      ]);
      expect(lines).toBe(9);
    }
  });

  it('CRLF is one line, also where the first row ends with a lone CR, and wherever reading is resumed', () => {
    const ends = fc.constantFrom('\r', '\n', '\r\n');
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom('', '1,2', '"1","2"', '"1', 'x'), ends, ends), { maxLength: 12 }),
        fc.constantFrom(1, 2, 7, 16 * 1024),
        (rows, block) => {
          const content = rows.reduce(
            (all, [row, end, inside]) => all + (row === '"1' ? `"1${inside}1",2` : row) + end,
            'a,b\r1,2\r',
          );
          const lineOf = (offset: number): number =>
            1 + (content.slice(0, offset).match(/\r\n?|\n/g)?.length ?? 0);
          const whole = decodeAll(csv(), content, block);
          expect(whole.bad.map(({ line }) => line)).toEqual(whole.bad.map(({ offset }) => lineOf(offset)));
          expect(whole.bad).toHaveLength(rows.filter(([row]) => row === 'x').length);
          expect(resumedAtEachRow(content)).toEqual(whole.bad);
        },
      ),
    );
  });

  it.each<[string, string | Buffer, CsvOptions<CsvRow>, string]>([
    [
      'something after a closing quote',
      'a,b\n"1"x,2\n3,4\n',
      {},
      'not CSV: Trailing quote on quoted field is malformed',
    ],
    ['UTF-8 that is not', Buffer.from('a,b\n\xff,2\n3,4\n', 'latin1'), {}, 'not valid UTF-8'],
    ['a trailing delimiter', 'a,b\n1,2,\n3,4\n', {}, '3 values instead of 2'],
  ])('%s', (_, content, options, reason) => {
    const { records, bad } = read(content, options);
    expect(records).toEqual([{ a: '3', b: '4' }]);
    expect(bad).toMatchObject([{ offset: 4, line: 2, reason }]);
  });

  it('a quote that does not end reaches to the end of the object', () => {
    const { records, bad } = read('a,b\n1,2\n3,"4\n5,6\n');
    expect(records).toEqual([{ a: '1', b: '2' }]);
    expect(bad).toMatchObject([
      { line: 3, text: '3,"4\n5,6\n', reason: 'not CSV: Quoted field unterminated' },
    ]);
  });

  it('with a malformed header, all rows are', () => {
    expect(read('a,a\n1,2\n').bad).toMatchObject([
      { line: 1, reason: "the header has column 'a' twice" },
      { line: 2, reason: 'the header is malformed' },
    ]);
  });

  it('include those that the schema rejects; others are its output', () => {
    const schema = {
      '~standard': {
        version: 1 as const,
        vendor: 'test',
        validate: (value: unknown) => {
          const n = Number((value as CsvRow)['n']);
          return Number.isNaN(n) ? { issues: [{ message: 'no number', path: ['n'] }] } : { value: { n } };
        },
      },
    };
    const format = csv({ schema });
    expectTypeOf(format).toHaveProperty('decoder');
    for (const block of [1, 1024]) {
      const { records, bad } = decodeAll(format, '\nn\n"1"\n"x\ny"\n2\n', block);
      expectTypeOf(records).toEqualTypeOf<readonly { n: number }[]>();
      expect(records).toEqual([{ n: 1 }, { n: 2 }]);
      expect(bad).toMatchObject([
        { line: 4, text: '"x\ny"', reason: 'rejected by the schema: n: no number' },
      ]);
    }
  });
});

describe('csv writes', () => {
  it('the header once in each file, and quotes where they are needed', () => {
    expect(
      write([
        { a: 1, b: 'x,y' },
        { b: 'say "hi"\n', a: undefined },
      ]),
    ).toBe('a,b\n1,"x,y"\n,"say ""hi""\n"\n');
  });

  it('all values that have a form', () => {
    const values = [
      12345678901234567890n,
      new Date(0),
      null,
      true,
      1.5,
      new JsonNumber('1.20000000000000000000000000005'),
    ];
    expect(write([values], { header: false })).toBe(
      '12345678901234567890,1970-01-01T00:00:00.000Z,,true,1.5,1.20000000000000000000000000005\n',
    );
  });

  it('the columns that are set, with any dialect', () => {
    expect(
      write([{ b: 'x;y', c: 1 }], { columns: ['c', 'b'], delimiter: ';', lineEnd: '\r\n', bom: true }),
    ).toBe('\uFEFFc;b\r\n1;"x;y"\r\n');
    expect(write([{ b: 1 }], { header: ['a', 'b'] })).toBe(',1\n');
  });

  it.each<[string, readonly unknown[], CsvOptions<never>, string]>([
    ['a string', ['x'], {}, 'a value of type String, but csv() writes objects'],
    ['an array', [[1]], {}, 'an array, but csv() writes objects'],
    ['an object without names', [{ a: 1 }], { header: false }, 'writes arrays if header is false'],
    ['another column', [{ a: 1 }, { b: 1 }], {}, "the property 'b', which is none of the columns a"],
    ['an object in it', [{ a: { b: 1 } }], {}, 'a value of type Object, which CSV has no form for'],
    ['an invalid date', [{ a: new Date(NaN) }], {}, 'Date that is invalid'],
    ['no properties', [{}], {}, 'has no values'],
    ['what needs quotes, without them', [{ a: 'x,y' }], { quote: false }, 'needs quotes, and quote is false'],
    ['a final escape character', [{ a: ',\\' }], { escape: '\\' }, 'ends with the escape character'],
  ])('not %s', (_, records, options, message) => {
    expect(() => write(records, options)).toThrow(expect.objectContaining({ code: 'NotCsv' }) as Error);
    expect(() => write(records, options)).toThrow(message);
  });

  it('nothing of a record that it refuses, and continues with the same columns', () => {
    let written = '';
    const encoder = csv().open({ write: (chunk) => (written += String(chunk)) });
    expect(() => {
      encoder.write({ a: Symbol('x') });
    }).toThrow('of type Symbol');
    encoder.write({ b: 1 });
    expect(() => {
      encoder.write({ b: 1, c: 2 });
    }).toThrow("'c'");
    encoder.write({ b: 2 });
    expect(written).toBe('b\n1\n2\n');
  });

  it('what it reads again, in any dialect', () => {
    const text = fc.string({
      unit: fc.constantFrom(
        'a',
        ',',
        ';',
        '"',
        "'",
        '\\',
        '\n',
        '\r',
        '#',
        ' ',
        '\uFEFF',
        's',
        'e',
        'p',
        '=',
      ),
    });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 8 }),
        fc.record({
          delimiter: fc.constantFrom(',', ';', '\t'),
          quote: fc.constantFrom('"', "'"),
          escape: fc.constantFrom(undefined, '\\'),
          comment: fc.constantFrom(undefined, '#'),
          lineEnd: fc.constantFrom('\n' as const, '\r\n' as const),
          bom: fc.boolean(),
          header: fc.constantFrom(true, false),
        }),
        fc.integer({ min: 1, max: 40 }),
        (rows, { header, escape, comment, ...dialect }, block) => {
          const options = {
            ...dialect,
            header,
            ...(escape === undefined ? {} : { escape }),
            ...(comment === undefined ? {} : { comment }),
          };
          const records = rows.map(([x, y]) => (header ? { x, y } : [x, y]));
          let written;
          try {
            written = write(records, options);
          } catch (error) {
            expect(error).toMatchObject({
              code: 'NotCsv',
              message: expect.stringContaining('escape') as string,
            });
            return;
          }
          const { records: again, bad } = decodeAll(csv(options), written, block);
          expect(bad).toEqual([]);
          expect(again).toEqual(records);
        },
      ),
      { numRuns: Number(process.env['RUNS'] ?? 300) },
    );
  });
});

describe('csv refuses', () => {
  it.each<[string, object]>([
    ['delimiter', { delimiter: '||' }],
    ['delimiter', { delimiter: '"' }],
    ['delimiter, quote, escape, comment', { delimiter: '#', comment: '#' }],
    ['quote', { quote: 'ä' }],
    ['escape', { quote: false, escape: '\\' }],
    ['trim', { trim: true, delimiter: '\t' }],
    ['header', { header: ['a', 'a'] }],
    ['columns', { columns: [] }],
    ['columns', { columns: ['a'], header: false }],
    ['lineEnd', { lineEnd: '\r' }],
    ['bom', { bom: 1 }],
    ['schema', { schema: {} }],
  ])('%s: %j', (name, options) => {
    expect(() => csv(options)).toThrow(expect.objectContaining({ code: 'InvalidOption' }) as Error);
    expect(() => csv(options)).toThrow(`csv: ${name}`);
  });
});

it('csv has the types of its options', () => {
  expectTypeOf(decodeAll(csv(), '').records).toEqualTypeOf<readonly CsvRow[]>();
  expectTypeOf(decodeAll(csv({ header: false }), '').records).toEqualTypeOf<readonly (readonly string[])[]>();
  expectTypeOf(decodeAll(csv({ header: ['a', 'b'] }), '').records).toEqualTypeOf<
    readonly Readonly<Record<'a' | 'b', string>>[]
  >();
  interface Visit {
    readonly user: string;
    readonly at: Date;
  }
  fileSink<Visit>('out', 'memory://lake/out', { format: csv() });
  // @ts-expect-error -- a string is no row
  fileSink<string>('out', 'memory://lake/out', { format: csv() });
});
