import fc from 'fast-check';
import { bytes } from '../../src/formats/bytes.js';
import { ndjson } from '../../src/formats/ndjson.js';
import type { Malformed, Reader } from '../../src/formats/reader.js';
import { text } from '../../src/formats/text.js';
import { atStart } from './atStart.js';
import { decodeAll } from './decodeAll.js';

function decode<T>(reader: Reader<T>, content: string | Buffer, start = 0, line = 1) {
  const records: T[] = [];
  const bad: Malformed[] = [];
  const lines = reader.decoder(atStart).decode(
    Buffer.from(content),
    start,
    line,
    (record) => records.push(record),
    (each) => bad.push(each),
  );
  return { records, bad, lines };
}

describe('ndjson', () => {
  it('reads what it wrote, whatever the values and however long the block', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue({ maxDepth: 2 }), { maxLength: 200 }), (values) => {
        const format = ndjson<unknown>({ numbers: 'double' });
        const content = values.map((value) => String(format.encode(value))).join('');
        const { records, bad, lines } = decode(format, content);
        expect(bad).toEqual([]);
        expect(records).toEqual(values.map((value) => JSON.parse(JSON.stringify(value)) as unknown));
        expect(lines).toBe(values.length);
      }),
    );
  });

  it('accepts CRLF, blank lines, a byte order mark at the start of the object and a last line without newline', () => {
    expect(decode(ndjson(), '\uFEFF{"a":1}\r\n\r\n\n  \n2')).toEqual({
      records: [{ a: 1 }, 2],
      bad: [],
      lines: 5,
    });
  });

  it('names offset, length and absolute line of a malformed line, and continues', () => {
    const { records, bad, lines } = decode(ndjson(), '1\né\n{"x":\r\n"ü"\n', 100, 7);
    expect(records).toEqual([1, 'ü']);
    expect(bad).toMatchObject([
      { offset: 102, length: 2, line: 8, text: 'é' },
      { offset: 105, length: 5, line: 9, text: '{"x":' },
    ]);
    expect(lines).toBe(4);
  });

  it('skips a byte order mark at the start of any line, as joined files have them, and nowhere else', () => {
    const { records, bad } = decode(
      ndjson(),
      '\uFEFF1\n\uFEFF{"a":"\uFEFF"}\n\uFEFF\n\uFEFF\r\n1\uFEFF\n\uFEFFx\n',
      10,
    );
    expect(records).toEqual([1, { a: '\uFEFF' }]);
    expect(bad).toMatchObject([
      { offset: 39, line: 5 },
      { offset: 44, length: 4, line: 6, text: '\uFEFFx' },
    ]);
    const besideBadUtf8 = Buffer.concat([Buffer.from('\uFEFF1\n'), Buffer.from([0xff, 0x0a])]);
    expect(decode(ndjson(), besideBadUtf8)).toMatchObject({ records: [1], bad: [{ line: 2 }] });
  });

  it('treats a line that is not UTF-8 as malformed, and reads its neighbours', () => {
    const content = Buffer.concat([Buffer.from('"ä"\n"'), Buffer.from([0xff]), Buffer.from('"\n"ö"\n')]);
    const { records, bad } = decode(ndjson(), content);
    expect(records).toEqual(['ä', 'ö']);
    expect(bad).toMatchObject([{ offset: 5, length: 3, line: 2, reason: 'not valid UTF-8' }]);
  });

  it('never joins lines: two halves of a value are two malformed lines', () => {
    expect(decode(ndjson(), '[1,\n2]\n').bad).toHaveLength(2);
  });

  it('reports every malformed line of a block of many spans where it is', () => {
    const lines = Array.from({ length: 5000 }, (_, i) =>
      i % 3 === 0 ? `bad${i}` : JSON.stringify({ i, text: 'ä'.repeat(i % 9) }),
    );
    const content = lines.join('\n') + '\n';
    const { records, bad } = decode(ndjson(), content);
    expect(records).toHaveLength(lines.length - Math.ceil(lines.length / 3));
    const whole = Buffer.from(content);
    for (const { offset, length, line, text: shown } of bad) {
      expect(whole.toString('utf8', offset, offset + length)).toBe(shown);
      expect(lines[line - 1]).toBe(shown);
    }
  });

  const positive = {
    '~standard': {
      version: 1 as const,
      vendor: 'test',
      validate: (value: unknown) =>
        typeof value === 'number' && value > 0
          ? { value: value * 10 }
          : { issues: [{ message: 'must be positive', path: ['n', { key: 0 }] }] },
    },
  };

  it('emits the output of the schema; its issues make a record malformed', () => {
    const { records, bad } = decode(ndjson({ schema: positive }), '1\n-1\n2\n');
    expect(records).toEqual([10, 20]);
    expect(bad).toMatchObject([{ line: 2, reason: 'rejected by the schema: n.0: must be positive' }]);
  });

  it('refuses a schema that answers with a promise', () => {
    const schema = {
      '~standard': { version: 1 as const, vendor: 'test', validate: () => Promise.resolve({ value: 1 }) },
    };
    expect(() => decode(ndjson({ schema }), '1\n')).toThrow(
      'The test schema given to ndjson returned a promise',
    );
  });

  it('an error that a schema hides in a promise does not end the process', async () => {
    const unhandled: unknown[] = [];
    const note = (error: unknown): void => void unhandled.push(error);
    process.on('unhandledRejection', note);
    const schema = {
      '~standard': {
        version: 1 as const,
        vendor: 'zod',
        validate: () => Promise.reject(new SyntaxError('x')),
      },
    };
    expect(() => decode(ndjson({ schema }), '1\n')).toThrow('has thrown an error');
    await new Promise((done) => setImmediate(done));
    process.removeListener('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });

  it('rethrows a SyntaxError of the schema, such as one of JSON.parse', () => {
    const schema = {
      '~standard': {
        version: 1 as const,
        vendor: 'test',
        validate: (value: unknown) => ({ value: JSON.parse(String(value)) as unknown }),
      },
    };
    expect(() => decode(ndjson({ schema }), '"{"\n')).toThrow(SyntaxError);
    expect(decode(ndjson({ schema }), '{\n').bad).toMatchObject([{ line: 1 }]);
  });

  it('rethrows errors of the schema and of the consumer', () => {
    const boom = new Error('boom');
    const schema = {
      '~standard': {
        version: 1 as const,
        vendor: 'test',
        validate: () => {
          throw boom;
        },
      },
    };
    expect(() => decode(ndjson({ schema }), '1\n')).toThrow(boom);
    const consumer = (): void => {
      throw new SyntaxError('mine');
    };
    expect(() =>
      ndjson()
        .decoder(atStart)
        .decode(Buffer.from('1\n'), 0, 1, consumer, () => undefined),
    ).toThrow('mine');
  });

  const circle: Record<string, unknown> = {};
  circle['self'] = circle;
  let deep: unknown[] = [];
  for (let i = 0; i < 200_000; i++) deep = [deep];

  it.each<[string, unknown, string]>([
    ['undefined', undefined, 'is a value of type Undefined'],
    ['a function', () => 1, 'is a value of type Function'],
    ['a symbol', Symbol('a'), 'is a value of type Symbol'],
    ['a promise', Promise.resolve({ a: 1 }), 'is a value of type Promise'],
    ['a map', new Map([[1, 2]]), 'is a value of type Map'],
    ['search parameters', new URLSearchParams('a=1'), 'is a value of type URLSearchParams'],
    ['headers', new Headers({ a: 'b' }), 'is a value of type Headers'],
    ['a view of bytes', new DataView(new ArrayBuffer(2)), 'is a value of type DataView'],
    ['a promise in it', { a: 1, geo: Promise.resolve(1) }, 'has a value of type Promise at geo'],
    ['a set in an array in it', { a: {}, b: [1, new Set([1])] }, 'has a value of type Set at b.1'],
    ['an error in it', { a: { b: new Error('no') } }, 'has a value of type Error at a.b'],
    ['a promise beside a bigint', { a: 1n, b: Promise.resolve() }, 'has a value of type Promise at b'],
    ['itself in it', circle, 'circular'],
    ['itself beside a bigint', { a: 1n, circle }, 'circular'],
    ['no end to it', deep, 'nested too deeply'],
  ])('refuses to write a value without a JSON form: %s', (_, record, message) => {
    const format = ndjson<unknown>();
    for (let again = 0; again < 2; again++) {
      expect(() => format.encode(record)).toThrow(
        expect.objectContaining({
          code: 'NotJson',
          retryable: false,
          message: expect.stringContaining(message) as string,
        }) as Error,
      );
    }
    expect(format.encode({ a: 1 })).toBe('{"a":1}\n');
  });

  it('otherwise writes what JSON.stringify does', () => {
    const format = ndjson<unknown>();
    for (const record of [
      { a: NaN, b: -Infinity, c: undefined, d: () => 1, e: new Date(0), f: {}, g: [undefined], h: { i: {} } },
      [new Uint8Array(0), { toJSON: () => ({}) }, Object.create(null)],
      {},
      [],
      'text',
      null,
    ]) {
      expect(format.encode(record)).toBe(`${JSON.stringify(record)}\n`);
    }
  });

  it('rethrows errors of toJSON', () => {
    const boom = new Error('boom');
    const record = {
      toJSON: () => {
        throw boom;
      },
    };
    expect(() => ndjson<unknown>().encode(record)).toThrow(boom);
  });
});

describe('text', () => {
  it('emits each line without its end, empty ones too', () => {
    expect(decode(text(), '\uFEFFa\r\n\nb c\n\uFEFFd')).toEqual({
      records: ['a', '', 'b c', 'd'],
      bad: [],
      lines: 4,
    });
  });

  it('drops a byte order mark at the start of a line only; a lone one is not a line', () => {
    expect(decode(text(), 'a\uFEFF\n\uFEFF\nb\n\uFEFF').records).toEqual(['a\uFEFF', '', 'b']);
    expect(decode(text(), '\uFEFF').records).toEqual([]);
  });

  it('refuses to write anything but a string', () => {
    for (const [value, name] of [
      [Promise.resolve('a'), 'Promise'],
      [{}, 'Object'],
      [undefined, 'Undefined'],
    ] as const) {
      expect(() => text().encode(value as never)).toThrow(
        expect.objectContaining({
          code: 'NotText',
          message: expect.stringContaining(name) as string,
        }) as Error,
      );
    }
  });

  it('refuses to write a record that would read back as two', () => {
    for (const record of ['a\nb', 'a\n', '\n', 'a\r\nb'])
      expect(() => text().encode(record)).toThrow(
        expect.objectContaining({
          code: 'NotText',
          message: expect.stringContaining('newline') as string,
        }) as Error,
      );
  });

  it.each([
    ['any', 'a\rb\r\nc\n\rd', ['a', 'b', 'c', '', 'd']],
    ['\r', 'a\r\nb\r', ['a', '\nb']],
    ['\0', 'a\0\0b\r\n', ['a', '', 'b\r\n']],
    ['||', 'a|||b||', ['a', '|b']],
    ['\n\n', 'a\nb\n\n\nc', ['a\nb', '\nc']],
  ])('with lineEnd %j, %j is %j', (lineEnd, content, lines) => {
    for (const block of [1, 3, 1024])
      expect(decodeAll(text({ lineEnd }), content, block)).toMatchObject({
        records: lines,
        lines: lines.length,
      });
  });

  it('writes the line end that is set, and refuses records that would read back as others', () => {
    expect(text({ lineEnd: 'any' }).encode('a')).toBe('a\n');
    expect(text({ lineEnd: '||' }).encode('a\n')).toBe('a\n||');
    for (const [lineEnd, record] of [
      ['any', 'a\rb'],
      ['||', 'a||b'],
      ['||', 'a|'],
      ['\n\n', 'a\n'],
    ] as const)
      expect(() => text({ lineEnd }).encode(record)).toThrow(
        expect.objectContaining({ code: 'NotText' }) as Error,
      );
  });

  it.each(['', 'x'.repeat(65), 1])('refuses the line end %j', (lineEnd) => {
    expect(() => text({ lineEnd: lineEnd as never })).toThrow('text: lineEnd');
  });

  it('replaces invalid UTF-8', () => {
    expect(decode(text(), Buffer.from([0x61, 0xff, 0x0a])).records).toEqual(['a\uFFFD']);
  });
});

describe('bytes', () => {
  it('passes blocks on unchanged', () => {
    const block = Buffer.from('ab\nc');
    const records: Uint8Array[] = [];
    bytes()
      .decoder(atStart)
      .decode(
        block,
        0,
        1,
        (each) => records.push(each),
        () => undefined,
      );
    expect(records[0]).toBe(block);
  });

  it('refuses to write anything but bytes', () => {
    expect(bytes().encode(new Uint8Array([1]))).toEqual(new Uint8Array([1]));
    for (const value of [Promise.resolve(), 'a', [1]]) {
      expect(() => bytes().encode(value as never)).toThrow(
        expect.objectContaining({ code: 'NotBytes' }) as Error,
      );
    }
  });
});
