/** The content of a checkpoint directory is read within limits of size, depth and form. */
import { crc32 } from 'node:zlib';
import { decodeManifest, encodeManifest } from '../../src/checkpoint/manifestCodec.js';
import { largest } from '../../src/checkpoint/signedJson.js';
import { type Manifest, logKey } from '../../src/checkpoint/manifest.js';
import { fileCodec } from '../../src/sinks/file/fileKind.js';
import { decodeCommittable, encodeCommittable } from '../../src/sinks/twoPhase/committables.js';
import { probe } from '../../src/store/probe.js';
import { createMemoryStore } from '../../src/entries/stores.js';
import { now } from '../job/harness.js';
import { Victim } from './forge.js';

function sealed(json: string): Buffer {
  const checksum = crc32(Buffer.from(json)).toString(16).padStart(8, '0');
  return Buffer.from(`millrace-manifest 1 ${checksum}\n${json}`);
}

async function stopped(): Promise<Victim> {
  const victim = new Victim();
  await victim.run({ until: 2000 });
  return victim;
}

const newest = (victim: Victim): string => `checkpoints/test/${logKey(victim.newest)}`;

describe('a manifest', () => {
  test('that is nested deeper than it could be written again is refused', async () => {
    const victim = await stopped();
    const json = JSON.stringify({ ...victim.read(), deep: 'DEEP' }).replace(
      '"DEEP"',
      '['.repeat(20_000) + ']'.repeat(20_000),
    );
    now(victim.lake.store.put(newest(victim), sealed(json)));
    await expect(victim.failure()).resolves.toMatchObject({ code: 'ManifestCorrupt' });
  });

  test('that is too large is not read to its end', async () => {
    const victim = await stopped();
    const key = newest(victim);
    now(victim.lake.store.put(key, Buffer.alloc(largest + 5)));
    const ranges: unknown[] = [];
    const { store } = victim.lake;
    const { get } = store;
    store.get = (each, options) => {
      if (each === key) ranges.push(options?.range);
      return get.call(store, each, options);
    };
    await expect(victim.failure()).resolves.toMatchObject({ code: 'ManifestCorrupt' });
    expect(ranges).toEqual([{ start: 0, end: largest + 1 }]);
  });

  test.each([
    ['too deep', (): unknown => JSON.parse('['.repeat(2000) + ']'.repeat(2000))],
    ['deeper than JSON.stringify takes', (): unknown => JSON.parse('['.repeat(50_000) + ']'.repeat(50_000))],
    ['too large', (): unknown => 'x'.repeat(largest)],
  ])('that is %s is not written', async (_, content) => {
    const victim = await stopped();
    const manifest = { ...victim.read(), savepoint: content() } as Manifest;
    expect(() => encodeManifest(manifest)).toThrow(expect.objectContaining({ code: 'ManifestTooLarge' }));
  });

  test('of a thousand levels is written and read', async () => {
    const victim = await stopped();
    const manifest = victim.read();
    const deep: unknown = JSON.parse('['.repeat(990) + ']'.repeat(990));
    const whole = {
      ...manifest,
      operators: { a: { kind: 'operator', open: [], objects: [], snapshot: deep } },
    };
    expect(decodeManifest(encodeManifest(whole as unknown as Manifest), 'log')).toEqual(whole);
  });
});

test('a tail of 10¹² bytes is refused, not allocated', () => {
  const of = (length: number): unknown => {
    const tail = { ranges: [{ journal: 'data/1', offset: 0, length, sha256: 'sum' }], inline: undefined };
    const rest = { uploadId: undefined, parts: [], size: length, records: 1, checkpoint: 1 };
    const file = { uid: 'u', store: 'memory://lake', key: 'k', tail, ...rest };
    return decodeCommittable(fileCodec, encodeCommittable(fileCodec, file));
  };
  expect(of(1e6)).toMatchObject({ size: 1e6 });
  expect(() => of(1e12)).toThrow(expect.objectContaining({ code: 'InvalidCommittable' }));
});

describe('probe.json', () => {
  test.each([
    'null',
    '[]',
    '1',
    '{}',
    '{"version":2,"conditionalPut":"no","completeSubset":true,"minimumPartSize":5242880}',
    '{"version":2,"conditionalPut":true,"completeSubset":1,"minimumPartSize":5242880}',
    '{"version":2,"conditionalPut":true,"completeSubset":true,"minimumPartSize":-1}',
    '{"version":2,"conditionalPut":true,"completeSubset":true,"minimumPartSize":"5"}',
    `{"version":2,"conditionalPut":true,"completeSubset":true,"minimumPartSize":1${' '.repeat(20_000)}}`,
  ])('%.70s is ignored, and the store is probed', (body) => {
    const store = createMemoryStore({ uri: 'memory://probed' });
    now(store.put('probe.json', Buffer.from(body)));
    expect(now(probe(store, ''))).toEqual({
      conditionalPut: true,
      completeSubset: true,
      minimumPartSize: 5 * 2 ** 20,
    });
  });
});
