import { decodeManifest, encodeManifest } from '../../src/checkpoint/index.js';
import { logKey, logNumber, type Manifest } from '../../src/checkpoint/manifest.js';

const manifest: Manifest = {
  version: 1,
  jobId: 'abcdefghijkl',
  job: 'clicks',
  n: 7,
  prev: { n: 6, putId: 'x-3' },
  parent: 6,
  epoch: 2,
  putId: 'x-4',
  kind: 'checkpoint',
  checkpoint: 5,
  at: 1_700_000_000_000,
  operators: {
    in: { kind: 'source', snapshot: { offset: 12 }, open: [], objects: [] },
    out: { kind: 'sink', open: [{ uid: 'a', objects: ['data/1/j'] }], objects: ['data/1/j'] },
  },
  pending: [{ sink: 'out', committable: { uid: 'b', uploadId: 'u' } }],
  garbage: ['log/00000000000000000004'],
  retained: [],
};

const code = (bytes: Buffer): unknown => {
  try {
    return decodeManifest(bytes, 'memory://test/log/7');
  } catch (error) {
    return (error as { code: string }).code;
  }
};

const withHeader = (json: unknown, version = 1): Buffer => {
  const bytes = encodeManifest(json as Manifest);
  return Buffer.from(bytes.toString().replace('millrace-manifest 1', `millrace-manifest ${version}`));
};

test('decoding returns what was encoded', () => {
  expect(decodeManifest(encodeManifest(manifest), 'x')).toEqual(manifest);
  expect(encodeManifest(manifest).toString().split('\n')[0]).toMatch(/^millrace-manifest 1 [0-9a-f]{8}$/);
});

test('every truncation and every flipped byte is ManifestCorrupt', () => {
  const bytes = encodeManifest(manifest);
  for (let i = 0; i < bytes.length; i++) {
    expect(code(bytes.subarray(0, i))).toBe('ManifestCorrupt');
    const flipped = Buffer.from(bytes);
    flipped[i]! ^= 1;
    expect(['ManifestCorrupt', 'ManifestTooNew']).toContain(code(flipped));
  }
});

test('a newer version is ManifestTooNew, with advice', () => {
  expect(code(withHeader(manifest, 2))).toBe('ManifestTooNew');
  expect(() => decodeManifest(withHeader({ from: 'the future' }, 9), 's3://b/log/7')).toThrow(
    's3://b/log/7 has version 9; this millrace reads up to 1. Nothing was changed. Run the job with the newer millrace',
  );
});

test.each(Object.keys(manifest))('a manifest without %s is ManifestCorrupt', (field) => {
  const rest = Object.entries(manifest).filter(([name]) => name !== field);
  expect(code(withHeader(Object.fromEntries(rest)))).toBe('ManifestCorrupt');
  expect(code(withHeader({ ...manifest, [field]: { wrong: true } }))).toBe('ManifestCorrupt');
});

test('log keys sort in the order of their numbers', () => {
  expect(logKey(42)).toBe('log/00000000000000000042');
  expect(logNumber(logKey(42))).toBe(42);
  for (const key of [
    'log/42',
    'log/00000000000000000000',
    'log/00000000000000000042x',
    'data/00000000000000000042',
  ]) {
    expect(logNumber(key)).toBeUndefined();
  }
});
