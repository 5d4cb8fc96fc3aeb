import { crc32 } from 'node:zlib';
import { valueState, type Serializer } from '../../../src/state/index.js';
import { decodeBlock } from '../../../src/state/segment/block.js';
import { hashOf, keyGroupOf } from '../../../src/state/keys/keyGroups.js';
import { storedKey, userKey } from '../../../src/state/keys/keys.js';
import { noPath } from '../../../src/state/cells.js';
import { SegmentEncoder } from '../../../src/state/segment/encoder.js';
import { headerLength } from '../../../src/state/segment/format.js';
import { packr } from '../../../src/state/values/serializer.js';
import { SegmentWriter } from '../../../src/state/runs/segmentWriter.js';
import type { RunWriter } from '../../../src/state/runs/runWriter.js';
import type { FrozenCells } from '../../../src/state/state.js';
import type { SegmentRef } from '../../../src/state/segment/segmentObject.js';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import { Bench, blockInfo, coded, segmentsOf, snapshotOf } from '../harness.js';

const prefix = 'checkpoints/job/';

function read(store: ObjectStore, key: string): Buffer {
  let bytes = Buffer.alloc(0);
  store.get(key).subscribe(({ chunks }) => (bytes = Buffer.concat(chunks)));
  return bytes;
}

/** A store with one segment of some hundred entries. */
function written(): { store: ObjectStore; snapshot: object; object: string; key: string; bytes: Buffer } {
  const store = createMemoryStore();
  const bench = new Bench(store, { n: valueState<unknown>(0) });
  for (let i = 0; i < 300; i++)
    bench.with(`key-${i}`, 'n', (n) => n.set(i % 3 === 0 ? { i, t: `text ${i}` } : i));
  bench.with('key-7', 'n', (n) => n.clear());
  const snapshot = bench.checkpoint().snapshot as unknown as object;
  const { object } = segmentsOf(snapshot)[0]!;
  const key = prefix + object;
  return { store, snapshot, object, key, bytes: read(store, key) };
}

const restore = (
  store: ObjectStore,
  snapshot: unknown,
  states = { n: valueState<unknown>(0) } as never,
): Bench => new Bench(store, states).restore(snapshot as never);

describe('segments', () => {
  test('a key is written once for all its states', () => {
    const serializer = { id: 'msgpackr', version: 1 };
    const states = ['a', 'b', 'c'].map((id) => ({ id, kind: 'value', serializer }));
    const encoder = new SegmentEncoder({ maxParallelism: 128, states }, false);
    const key = storedKey(['x'.repeat(1000)]);
    for (const state of [0, 1, 2]) encoder.add(5, 7, key, state, noPath, state);
    encoder.add(5, 7, 'y', 0, noPath, 'z');
    const bytes = Buffer.from(encoder.flush().subarray(headerLength));
    expect(bytes.length).toBeLessThan(1100);
    const info = { offset: headerLength, length: bytes.length, crc: crc32(bytes), cells: 4 };
    const block = decodeBlock('object', { ...info, firstGroup: 5, lastGroup: 5 }, bytes);
    expect(userKey(block.key(0))).toEqual(['x'.repeat(1000)]);
    expect([block.key(1), block.key(2)]).toEqual([block.key(0), block.key(0)]);
    expect([block.key(3), ...block.states, ...block.contents]).toEqual(['y', 0, 1, 2, 0, 0, 1, 2, 'z']);
  });

  // With the limit of production: `segmentWriter.long.test.ts`.
  test('more entries than are kept in memory are all written, in order', () => {
    const count = 500;
    const cells = {
      size: count,
      key: (cell: number) => `key-${cell}`,
      path: () => noPath,
      read: (cell: number) => 2 * cell,
      encode: (content: unknown) => content,
    };
    const added: [group: number, hash: number, key: string, state: number, path: object, content: number][] =
      [];
    const run = {
      encoder: { full: false, add: (...cell: (typeof added)[number]) => added.push(cell) },
      finish: () => 'done',
    };
    const frozen = cells as unknown as FrozenCells;
    const writer = new SegmentWriter([frozen, frozen], run as unknown as RunWriter, 128, 600);
    while (writer.step() !== 'done');
    expect(added).toHaveLength(2 * count);
    const inOrder = [...added].sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[3] - b[3]);
    expect(added).toEqual(inOrder);
    for (const [, , key, , , content] of added) expect(key).toBe(`key-${content / 2}`);
    for (const state of [0, 1])
      expect(new Set(added.filter((cell) => cell[3] === state).map((cell) => cell[2])).size).toBe(count);
  });

  test('steps are short for many entries of one key', () => {
    const count = 30_000;
    let paths = 0;
    const subKeyOf = (cell: number): Uint8Array => Buffer.of(cell >> 8, cell & 255);
    const cells = {
      size: count,
      key: () => 'k',
      path: (cell: number) => {
        paths++;
        return { namespace: noPath.namespace, subKey: subKeyOf(count - 1 - cell) };
      },
      read: (cell: number) => count - 1 - cell,
      encode: (content: unknown) => content,
    };
    const added: unknown[] = [];
    let block = 0;
    const run = {
      encoder: {
        get full() {
          return block === 100;
        },
        add: (...cell: readonly unknown[]) => {
          block++;
          added.push(cell.at(-1));
        },
      },
      flush: () => {
        block = 0;
        return 'more';
      },
      finish: () => 'done',
    };
    const writer = new SegmentWriter([cells as unknown as FrozenCells], run as unknown as RunWriter, 128);
    let most = 0;
    for (let step: unknown; step !== 'done'; most = Math.max(most, paths)) {
      paths = 0;
      step = writer.step();
    }
    expect(added).toEqual(Array.from({ length: count }, (_, i) => i));
    expect(most).toBeLessThanOrEqual(8192 + 100);
  });

  test('a key that cannot be decoded is corrupt, even with a valid checksum', () => {
    const bytes = Buffer.concat([
      Buffer.of(0, 1, 0, 0, 0, 3, 0, 0, 0, 4),
      Buffer.of(4, 1, 120),
      packr.pack([7]),
    ]);
    expect(() => decodeBlock('object', blockInfo(bytes), bytes).key(0)).toThrow(coded('SegmentCorrupt'));
  });

  test('another valid segment in its place is detected', () => {
    const { store, snapshot } = written();
    const [ref] = segmentsOf(snapshot);
    const other = { ...ref, crc: (ref!.crc ^ 1) >>> 0 };
    expect(() => restore(store, snapshotOf(['n'], [other as SegmentRef]))).toThrow(coded('SegmentCorrupt'));
  });

  test('a missing segment is named', () => {
    const { store, snapshot, key } = written();
    store.delete([key]).subscribe();
    expect(() => restore(store, snapshot)).toThrow(coded('SegmentMissing'));
  });

  test('a later format is rejected as such', () => {
    const { store, snapshot, key, bytes } = written();
    const at = bytes.length - 16;
    bytes[at] = 4;
    const footer = bytes.subarray(at - bytes.readUInt32LE(at + 4), at);
    bytes.writeUInt32LE(crc32(bytes.subarray(at, at + 8), crc32(footer)), at + 8);
    store.put(key, bytes).subscribe();
    expect(() => restore(store, snapshot)).toThrow(coded('SegmentTooNew'));
  });

  describe('schema', () => {
    const utf8 = (version: number, id = 'text'): Serializer<string> => ({
      id,
      version,
      encode: (text) => Buffer.from(`v${version}:${text}`),
      decode: (bytes, wrote) => {
        const text = Buffer.from(bytes).toString();
        if (!text.startsWith(`v${wrote}:`)) throw new Error('wrong version');
        return wrote < version ? `${text.slice(3)} (from ${wrote})` : text.slice(3);
      },
    });
    const text = (version: number, id?: string) => ({ t: valueState('', { serializer: utf8(version, id) }) });
    const stored = (version: number): { store: ObjectStore; snapshot: unknown } => {
      const store = createMemoryStore();
      const bench = new Bench(store, text(version));
      bench.with<string>('k', 't', (t) => t.set('x'));
      return { store, snapshot: bench.checkpoint().snapshot };
    };

    test('a state that is no longer declared, another serializer, or a later version of it is a mismatch', () => {
      const { store, snapshot } = stored(2);
      for (const states of [{ other: valueState(0) }, { t: valueState('') }, text(2, 'other'), text(1)]) {
        expect(() => restore(store, snapshot, states as never)).toThrow(coded('StateSchemaMismatch'));
      }
      const other = { t: { ...valueState('', { serializer: utf8(2) }), kind: 'list' } };
      expect(() => restore(store, snapshot, other as never)).toThrow(coded('StateSchemaMismatch'));
    });

    test('the mismatch names operator, state, both serializers, and what to do', () => {
      const { store, snapshot } = stored(2);
      expect(() => restore(store, snapshot, { t: valueState('') } as never)).toThrow(
        'The state of operator op does not fit: state t was written by serializer text (version 2) and is declared with msgpackr (version 1). Declare it with the serializer that wrote it',
      );
    });

    test.each<[string, unknown, unknown, boolean]>([
      ['number to binary data', 0, new Uint8Array(), false],
      ['number to string', 0, '', false],
      ['number to bigint', 0, 0n, false],
      ['object to array', {}, [], false],
      ['object to map', {}, new Map(), false],
      ['number to number', 0, 7, true],
      ['null, which is anything, to number', null, 0, true],
      ['number to null', 0, null, true],
    ])('another type of initial value: %s', (_, was, is, fits) => {
      const store = createMemoryStore();
      const bench = new Bench(store, { v: valueState(was) });
      bench.with<unknown>('k', 'v', (v) => v.set(was));
      const { snapshot } = bench.checkpoint();
      const again = (): Bench => restore(store, snapshot, { v: valueState(is) } as never);
      if (fits) expect(again).not.toThrow();
      else expect(again).toThrow(coded('StateSchemaMismatch'));
    });

    test('what a serializer cannot decode names the state, the key and the version', () => {
      const { store, snapshot } = stored(1);
      const other = { ...utf8(2), decode: () => JSON.parse('x') as string };
      const again = (): Bench =>
        restore(store, snapshot, { t: valueState('', { serializer: other }) } as never);
      expect(again).toThrow(coded('StateSchemaMismatch'));
      expect(again).toThrow('serializer text fails on what its version 1 wrote for key "k" of state t');
    });

    test('a foreign snapshot, or one for another number of key groups, is a mismatch', () => {
      const { store, snapshot } = stored(1);
      for (const bad of [
        null,
        5,
        {},
        { version: 3, runs: [] },
        { ...(snapshot as object), kind: 'other' },
        { ...(snapshot as object), version: 4 },
        { ...(snapshot as object), keyGroups: undefined },
        { ...(snapshot as object), states: [{ name: 't' }] },
        { ...(snapshot as object), runs: [{}] },
        { ...(snapshot as object), maxParallelism: 256 },
      ]) {
        expect(() => restore(store, bad, text(1) as never)).toThrow(coded('StateSchemaMismatch'));
      }
    });

    test('states may be declared in another order: older values stay older, also through compaction', () => {
      const states = { b: valueState(''), a: valueState('') };
      const store = createMemoryStore();
      const first = new Bench(store, { a: valueState(''), b: valueState('') });
      for (const name of ['a', 'b']) first.with<string>('k', name, (n) => n.set(`old ${name}`));
      const bench = restore(store, first.checkpoint().snapshot, states as never);
      for (const name of ['a', 'b']) bench.with<string>('k', name, (n) => n.set(`new ${name}`));
      bench.checkpoint();
      for (let i = 0; bench.backend.segments.length > 1; i++) {
        bench.with<string>(`other ${i}`, 'a', (n) => n.set('x'));
        bench.checkpoint();
      }
      const again = restore(store, bench.checkpoint().snapshot, states as never);
      expect(['a', 'b'].map((name) => again.with<string, string>('k', name, (n) => n.value))).toEqual([
        'new a',
        'new b',
      ]);
    });

    test('states in another order than that of their ids, or of no id in the checkpoint, are corrupt', () => {
      for (const ids of [['b', 'a'], ['c']]) {
        const store = createMemoryStore();
        const states = ids.map((id) => ({
          id,
          kind: 'value',
          serializer: { id: 'msgpackr', version: 1 },
        }));
        const encoder = new SegmentEncoder({ maxParallelism: 128, states });
        encoder.add(keyGroupOf(hashOf('k'), 128), hashOf('k'), 'k', 0, noPath, 'x');
        store.put(`${prefix}x`, Buffer.concat([encoder.flush(), encoder.finish()])).subscribe();
        const { bytes, cells, crc, sha256 } = encoder;
        const snapshot = snapshotOf(['a', 'b'], [{ object: 'x', bytes, cells, crc, sha256 }]);
        const specs = { a: valueState<unknown>(''), b: valueState<unknown>('') };
        expect(() => restore(store, snapshot, specs as never)).toThrow(coded('SegmentCorrupt'));
      }
    });

    test('a later serializer reads what earlier ones wrote, also through compaction; new states may be added', () => {
      const { store, snapshot } = stored(1);
      const bench = restore(store, snapshot, { ...text(2), added: valueState(5) } as never);
      expect(bench.with<string, string>('k', 't', (t) => t.value)).toBe('x (from 1)');
      expect(bench.with<number, number>('k', 'added', (n) => n.value)).toBe(5);
      for (let i = 0; i < 3; i++) {
        bench.with<number>(`k${i}`, 'added', (n) => n.set(i));
        bench.checkpoint();
      }
      expect(bench.backend.segments).toHaveLength(1);
      const again = restore(store, bench.checkpoint().snapshot, {
        ...text(3),
        added: valueState(5),
      } as never);
      expect(again.with<string, string>('k', 't', (t) => t.value)).toBe('x (from 1) (from 2)');
    });
  });
});
