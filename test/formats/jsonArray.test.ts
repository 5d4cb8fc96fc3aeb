import { expectTypeOf } from 'expect-type';
import { jsonArray } from '../../src/formats/jsonArray.js';
import { fileSink } from '../../src/sinks/file/fileSink.js';
import { decodeAll } from './decodeAll.js';

const blocks = [1, 5, 16 * 1024];

describe('jsonArray reads', () => {
  it.each<[string, string, readonly unknown[]]>([
    ['elements of any kind', ' [1,"a,]",[2,[3]],{"a":"}"}, null]\n', [1, 'a,]', [2, [3]], { a: '}' }, null]],
    ['no elements', '[ ]', []],
    ['no bytes', '', []],
    ['only white space', ' \n', []],
    ['a byte order mark', '\uFEFF[1]', [1]],
    ['escapes', String.raw`["a\"],", "\\", "\\\""]`, ['a"],', '\\', '\\"']],
    ['every digit', '[144126219108390099,1]', [144126219108390099n, 1]],
    ['a comma after the last element, as none', '[1,\n]', [1]],
  ])('%s', (_, content, records) => {
    for (const block of blocks)
      expect(decodeAll(jsonArray(), content, block)).toMatchObject({ records, bad: [] });
  });

  it.each<[string, string, readonly unknown[], object]>([
    [
      'an element that is not JSON',
      '[1,\n {"é":},\n3]',
      [1, 3],
      { offset: 5, length: 7, line: 2, text: '{"é":}' },
    ],
    ['no element', '[1,,3]', [1, 3], { offset: 3, length: 0, reason: 'no value' }],
    ['no end', '[1,\n2', [1], { offset: 4, line: 2, text: '2', reason: 'the array does not end' }],
    ['no end after a comma', '[1,', [1], { offset: 3, length: 0, reason: 'the array does not end' }],
    [
      'an end of an object',
      '[1,2}',
      [1],
      { offset: 3, text: '2', reason: 'the array ends with } instead of ]' },
    ],
    ['something after it', '[1]\n[2]', [1], { line: 2, text: '[2]', reason: 'it follows the array' }],
    ['an object', '{"a":[1,2]}', [], { offset: 0, reason: 'not an array' }],
    [
      'more levels than allowed',
      '[[[1]],[2]]',
      [[2]],
      { offset: 1, reason: 'nested more than 1 deep (maxDepth)' },
    ],
  ])('%s, as malformed', (_, content, records, bad) => {
    for (const block of blocks) {
      const options = content.startsWith('[[[') ? { maxDepth: 1 } : {};
      expect(decodeAll(jsonArray(options), content, block)).toMatchObject({ records, bad: [bad] });
    }
  });

  it('what is not UTF-8, as malformed', () => {
    const content = Buffer.concat([Buffer.from('["'), Buffer.from([0xff]), Buffer.from('",1]')]);
    expect(decodeAll(jsonArray(), content)).toMatchObject({
      records: [1],
      bad: [{ reason: 'not valid UTF-8' }],
    });
  });

  it('the output of the schema', () => {
    const schema = {
      '~standard': {
        version: 1 as const,
        vendor: 'test',
        validate: (value: unknown) =>
          typeof value === 'number' ? { value: String(value) } : { issues: [{ message: 'no number' }] },
      },
    };
    const { records, bad } = decodeAll(jsonArray({ schema }), '[1,"a"]');
    expectTypeOf(records).toEqualTypeOf<readonly string[]>();
    expect(records).toEqual(['1']);
    expect(bad).toMatchObject([{ offset: 3, reason: 'rejected by the schema: no number' }]);
  });
});

describe('jsonArray writes', () => {
  const written = (records: readonly unknown[], end: 'finish' | 'persist'): string => {
    let out = '';
    const encoder = jsonArray<unknown>().open({ write: (chunk) => (out += String(chunk)) });
    for (const record of records) encoder.write(record);
    if (end === 'finish') encoder.finish();
    else out += String(encoder.persist?.(false).closing);
    return out;
  };

  it('an array, whether it is finished or ends at a checkpoint', () => {
    for (const end of ['finish', 'persist'] as const) {
      expect(written([{ a: 144126219108390099n }, 'x'], end)).toBe('[\n{"a":144126219108390099},\n"x"\n]\n');
      expect(decodeAll(jsonArray(), written([1, [2]], end))).toMatchObject({ records: [1, [2]], bad: [] });
    }
    expect(JSON.parse(written([], 'finish'))).toEqual([]);
  });

  it('nothing of a record that it refuses', () => {
    let out = '';
    const encoder = jsonArray<unknown>().open({ write: (chunk) => (out += String(chunk)) });
    expect(() => {
      encoder.write(new Map());
    }).toThrow(expect.objectContaining({ code: 'NotJson' }) as Error);
    encoder.write(1);
    encoder.finish();
    expect(JSON.parse(out)).toEqual([1]);
  });
});

it('jsonArray fits any sink', () => {
  fileSink<{ a: number }>('out', 'memory://lake/out', { format: jsonArray() });
  expect(() => jsonArray({ depth: 1 } as object)).toThrow('jsonArray: depth is not an option');
});
