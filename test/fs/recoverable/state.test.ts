import fc from 'fast-check';
import { InvalidRecoverable } from 'millrace/stores';
import { decodeState, encodeState, type Bounds, type FileState } from '#src/fs/recoverable/state.js';
import { recoverableStrings } from './golden.js';

const bounds: Bounds = { store: 'memory://lake', prefix: 'out/', tails: 'out/.millrace-tails/' };
const both = ['resumable', 'committable'] as const;
const putId = '3f0c9a3e-7d0a-4b52-9d3e-0a4f6f1c2b11';

const state: fc.Arbitrary<FileState> = fc
  .record({
    kind: fc.constantFrom(...both),
    name: fc.string({ unit: 'grapheme', minLength: 1 }).filter((name) => !/[/.\0]/.test(name)),
    uploadId: fc.stringMatching(/^[!-~]{1,40}$/),
    parts: fc.array(fc.record({ etag: fc.string(), size: fc.nat(1e9) }), { maxLength: 5 }),
    inline: fc.option(fc.uint8Array({ minLength: 1, maxLength: 20 })),
    object: fc.option(fc.record({ length: fc.integer({ min: 1, max: 1e6 }), sha256: fc.string() })),
  })
  .map(({ kind, name, uploadId, parts, inline, object }) => {
    const journal = `${bounds.tails}${putId}-000001`;
    const tail =
      object !== null
        ? { ranges: [{ journal, offset: 0, ...object }], inline: undefined }
        : inline === null
          ? undefined
          : { ranges: [], inline: Buffer.from(inline) };
    const rest = object?.length ?? inline?.length ?? 0;
    const size = parts.reduce((sum, part) => sum + part.size, rest);
    const numbered = parts.map((part, i) => ({ number: i + 1, ...part }));
    const { store, prefix } = bounds;
    return { kind, store, key: prefix + name, uploadId, putId, parts: numbered, tail, size };
  });

function codeOf(text: unknown, kinds: readonly ('resumable' | 'committable')[] = both): string {
  try {
    decodeState(text, kinds, bounds);
    return 'none';
  } catch (error) {
    return (error as { readonly code?: string }).code ?? String(error);
  }
}

test('what is encoded is decoded, from one line of ASCII', () => {
  fc.assert(
    fc.property(state, (file) => {
      const text = encodeState(file);
      expect(text).toMatch(/^[ -~]+$/);
      expect(decodeState(text, both, bounds)).toEqual(file);
    }),
  );
});

// These strings are in the checkpoints of users: the list only grows.
test.each(recoverableStrings)('every version reads %s', (_, text, expected) => {
  expect(decodeState(text, both, bounds)).toMatchObject(expected);
  expect(codeOf(text)).toBe('none');
});

test('a string that was changed is InvalidRecoverable', () => {
  const [, [, text]] = recoverableStrings as unknown as [unknown, [string, string]];
  for (let i = 0; i < text.length; i++) {
    const changed = `${text.slice(0, i)}${text[i] === '0' ? '1' : '0'}${text.slice(i + 1)}`;
    expect(codeOf(changed)).toBe('InvalidRecoverable');
    expect(codeOf(text.slice(0, i))).toBe('InvalidRecoverable');
  }
  expect(codeOf(`${text} `)).toBe('InvalidRecoverable');
  for (const other of [undefined, null, 7, {}, [text], Buffer.from(text)])
    expect(codeOf(other)).toBe('InvalidRecoverable');
  expect(new InvalidRecoverable('It', 'why')).toMatchObject({ code: 'InvalidRecoverable', retryable: false });
});

test('the other kind, and a newer version, are refused with what to do', () => {
  const [[, resumable], [, committable]] = recoverableStrings as unknown as [string, string][] as [
    [string, string],
    [string, string],
  ];
  expect(() => decodeState(resumable, ['committable'], bounds)).toThrow('recover first');
  expect(() => decodeState(committable, ['resumable'], bounds)).toThrow('it is a committable');
  expect(() => decodeState(committable.replace(' 1 ', ' 2 '), both, bounds)).toThrow('newer');
});

test.each([
  ['a file outside', { key: 'other/a' }],
  ['a file above', { key: 'out/../a' }],
  ['another store', { store: 'memory://sea' }],
  ['the folder itself', { key: 'out/' }],
  [
    'a tail of another file',
    {
      size: 3,
      tail: {
        ranges: [{ journal: 'out/.millrace-tails/x-1', offset: 0, length: 3, sha256: '' }],
        inline: undefined,
      },
    },
  ],
])('%s is ForeignName', (_, other) => {
  const file: FileState = {
    kind: 'committable',
    store: bounds.store,
    key: 'out/a',
    uploadId: 'u',
    putId,
    parts: [],
    tail: undefined,
    size: 0,
  };
  expect(codeOf(encodeState(file))).toBe('none');
  expect(codeOf(encodeState({ ...file, ...other }))).toBe('ForeignName');
});

test.each([
  ['its size', { size: 4 }],
  ['no size', { size: -1 }],
  ['an upload without a name', { uploadId: '' }],
  ['an upload with a blank', { uploadId: 'a b' }],
  ['another put-id', { putId: 'x' }],
])('%s is InvalidRecoverable', (_, other) => {
  const file = { kind: 'committable', store: bounds.store, key: 'out/a', uploadId: 'u', putId, parts: [] };
  expect(codeOf(encodeState({ ...file, tail: undefined, size: 0, ...other } as FileState))).toBe(
    'InvalidRecoverable',
  );
});
