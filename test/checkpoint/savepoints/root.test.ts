import type { Manifest } from '../../../src/checkpoint/manifest.js';
import {
  decodeRoot,
  encodeRoot,
  objectsOf,
  rootOf,
  savepointName,
} from '../../../src/checkpoint/savepoints/root.js';

const segment = 'data/0000000007/per-user-3.state';
const older = 'data/0000000000/ABCDEFGHIJKL/0000000002/per-user-1.state';
const journal = 'data/0000000007/out-1.journal';
const renamed = 'data/0000000000/abcdefghijkl/0000000007/per-user-3.state';

const manifest: Manifest = {
  version: 1,
  jobId: 'abcdefghijkl',
  job: 'clicks',
  dir: 's3://lake/checkpoints/clicks/',
  n: 20,
  prev: { n: 19, putId: 'a-1' },
  parent: 19,
  epoch: 7,
  putId: 'a-2',
  kind: 'savepoint',
  checkpoint: 12,
  at: 1_700_000_000_000,
  entropy: { at: 3, name: true, values: ['abcd'] },
  operators: {
    raw: { kind: 'source', snapshot: { at: 5 }, open: [], objects: [] },
    'per-user': {
      kind: 'operator',
      snapshot: { runs: [[{ object: segment }], [{ object: older }]], note: `not ${segment}` },
      open: [],
      objects: [segment, older],
    },
    out: { kind: 'sink', open: [], objects: [journal] },
  },
  pending: [{ sink: 'out', committable: { uid: 'x', objects: [journal] } }],
  garbage: ['log/00000000000000000017'],
  retained: [],
  savepoint: 's3://lake/savepoints/savepoint-clicks-12/',
};
const sizes = new Map([
  [segment, 100],
  [older, 3],
]);
const root = rootOf(manifest, sizes);
const where = 's3://copies/savepoint/';
const key = 'k'.repeat(32);

function fault(work: () => unknown): Error & { readonly code?: string } {
  try {
    work();
  } catch (error) {
    return error as Error;
  }
  throw new Error('It did not throw.');
}

test('needs the objects that snapshots refer to, and no others', () => {
  expect(objectsOf(manifest)).toEqual([segment, older]);
});

test('names its objects by job, since names are unique only within a log; a name that has a job keeps it', () => {
  expect(savepointName(manifest, segment)).toBe(renamed);
  expect(root.data).toEqual([
    [renamed, 100],
    [older, 3],
  ]);
  expect(root.operators['per-user']).toEqual({
    kind: 'operator',
    snapshot: { runs: [[{ object: renamed }], [{ object: older }]], note: `not ${segment}` },
    open: [],
    objects: [renamed, older],
  });
});

test('refers to nothing of the job: no directory, no log entry, no upload, no journal', () => {
  const text = JSON.stringify(root);
  expect(text).not.toMatch(/checkpoints|log\/|journal|entropy|"x"/);
  expect(root).toMatchObject({ kind: 'savepoint', jobId: 'abcdefghijkl', job: 'clicks', checkpoint: 12 });
});

test('is read as it was written, signed or not', () => {
  expect(decodeRoot(encodeRoot(root), where)).toEqual(root);
  expect(decodeRoot(encodeRoot(root, key), where, { keys: ['z'.repeat(32), key] })).toEqual(root);
  expect(decodeRoot(encodeRoot(root), where, { keys: [key], accept: 'unsigned' })).toEqual(root);
});

test.each([
  ['not signed', encodeRoot(root)],
  ['signed with none of the keys', encodeRoot(root, 'x'.repeat(32))],
])('a job with a key refuses a root that is %s', (what, bytes) => {
  const error = fault(() => decodeRoot(bytes, where, { keys: [key] }));
  expect(error.code).toBe('ManifestNotTrusted');
  expect(error.message).toContain(`The savepoint ${where} is ${what}`);
});

test('any byte that is changed is found', () => {
  const bytes = encodeRoot(root);
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(fault(() => decodeRoot(changed, where)).code).toMatch(/^Savepoint(Corrupt|TooNew)$/);
  }
  for (let length = 0; length < bytes.length; length++)
    expect(fault(() => decodeRoot(bytes.subarray(0, length), where)).code).toBe('SavepointCorrupt');
});

test('a later version is recognized before it is parsed', () => {
  const later = Buffer.from(
    encodeRoot(root).toString().replace('millrace-savepoint 1', 'millrace-savepoint 2'),
  );
  expect(fault(() => decodeRoot(later, where)).code).toBe('SavepointTooNew');
});

test.each<[string, object, string, RegExp]>([
  ['the entry of a log', { kind: 'checkpoint' }, 'SavepointCorrupt', /not the root of a savepoint/],
  ['pending output', { pending: manifest.pending }, 'SavepointCorrupt', /not the root of a savepoint/],
  ['an object without a size', { data: root.data.slice(1) }, 'SavepointCorrupt', /lacks the size of data/],
  ['a malformed size', { data: [[renamed, -1]] }, 'SavepointCorrupt', /data is missing or malformed/],
  ['a missing field', { operators: undefined }, 'SavepointCorrupt', /operators is missing or malformed/],
  ['a number too high', { checkpoint: 2e15 }, 'SavepointCorrupt', /checkpoint is too large/],
  ['the id of no job', { jobId: '../secret' }, 'ForeignName', /not the id of a job/],
  ['an object elsewhere', { data: [...root.data, ['../secret', 1]] }, 'ForeignName', /not a data object/],
])('%s is refused', (_, change, code, message) => {
  const error = fault(() => decodeRoot(encodeRoot({ ...root, ...change }), where));
  expect(error.code).toBe(code);
  expect(error.message).toMatch(message);
});
