import fc from 'fast-check';
import { bytes } from '../../src/formats/bytes.js';
import type { Malformed, Reader } from '../../src/formats/format.js';
import { ndjson } from '../../src/formats/ndjson.js';
import { text } from '../../src/formats/text.js';

function decode<T>(reader: Reader<T>, content: string | Buffer, start = 0, line = 1) {
  const records: T[] = [];
  const bad: Malformed[] = [];
  const lines = reader.decode(
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
        const format = ndjson<unknown>();
        const content = values.map((value) => String(format.encode(value))).join('');
        const { records, bad, lines } = decode(format, content);
        expect(bad).toEqual([]);
        expect(records).toEqual(values.map((value) => JSON.parse(JSON.stringify(value)) as unknown));
        expect(lines).toBe(values.length);
      }),
    );
  });

  it('takes CRLF, blank lines, a byte order mark at the start of the object and a last line without newline', () => {
    expect(decode(ndjson(), '\uFEFF{"a":1}\r\n\r\n\n  \n2')).toEqual({
      records: [{ a: 1 }, 2],
      bad: [],
      lines: 5,
    });
  });

  it('names offset, length and absolute line of a malformed line, and goes on', () => {
    const { records, bad, lines } = decode(ndjson(), '1\né\n{"x":\r\n"ü"\n', 100, 7);
    expect(records).toEqual([1, 'ü']);
    expect(bad).toMatchObject([
      { offset: 102, length: 2, line: 8, text: 'é' },
      { offset: 105, length: 5, line: 9, text: '{"x":' },
    ]);
    expect(lines).toBe(4);
  });

  it('finds a byte order mark malformed anywhere but at the start of the object', () => {
    expect(decode(ndjson(), '\uFEFF1\n', 10).bad).toMatchObject([{ offset: 10, line: 1 }]);
  });

  it('finds a line malformed that is not UTF-8, and reads its neighbours', () => {
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

  it('gives what the schema gives, and what it refuses is malformed with its words', () => {
    const { records, bad } = decode(ndjson({ schema: positive }), '1\n-1\n2\n');
    expect(records).toEqual([10, 20]);
    expect(bad).toMatchObject([{ line: 2, reason: 'refused by the schema: n.0: must be positive' }]);
  });

  it('refuses a schema that answers with a promise', () => {
    const schema = {
      '~standard': { version: 1 as const, vendor: 'test', validate: () => Promise.resolve({ value: 1 }) },
    };
    expect(() => decode(ndjson({ schema }), '1\n')).toThrow('answers at once');
  });

  it('lets what a schema throws, and what the consumer throws, through', () => {
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
    expect(() => ndjson().decode(Buffer.from('1\n'), 0, 1, consumer, () => undefined)).toThrow('mine');
  });

  it('refuses to write what has no JSON form', () => {
    expect(() => ndjson<unknown>().encode(undefined)).toThrow('has no JSON form');
  });
});

describe('text', () => {
  it('gives each line without its end, empty ones too', () => {
    expect(decode(text(), '\uFEFFa\r\n\nb c\n\uFEFFd')).toEqual({
      records: ['a', '', 'b c', '\uFEFFd'],
      bad: [],
      lines: 4,
    });
  });

  it('replaces what is not UTF-8', () => {
    expect(decode(text(), Buffer.from([0x61, 0xff, 0x0a])).records).toEqual(['a\uFFFD']);
  });
});

describe('bytes', () => {
  it('hands blocks on as they are', () => {
    const block = Buffer.from('ab\nc');
    const records: Uint8Array[] = [];
    bytes().decode(
      block,
      0,
      1,
      (each) => records.push(each),
      () => undefined,
    );
    expect(records[0]).toBe(block);
  });
});
