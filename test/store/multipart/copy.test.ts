import { createMemoryStore, type ObjectStore } from '../../../src/entries/stores.js';
import { copyObject, type CopyLimits } from '../../../src/store/multipart/copy.js';
import { decorate } from '../../../src/store/decorators/decorate.js';
import { StoreError } from '../../../src/store/errors.js';
import { SimulatedClock } from '../../../src/testing/index.js';
import { now } from '../../simulation/world.js';

const MiB = 2 ** 20;
const body = Buffer.from(Array.from({ length: 3.5 * MiB }, (_, i) => i % 251));
const limits: CopyLimits = { remote: 2 * MiB, local: 2 * MiB, copied: MiB, part: MiB };
const server = {};

/** A copy from `a` to `b`, and the requests that it makes. */
function copying(how: {
  readonly server: object | undefined;
  readonly size?: number;
  readonly one?: boolean;
  readonly fail?: string;
}) {
  const clock = new SimulatedClock();
  const requests: string[] = [];
  const watched = (name: string, store: ObjectStore): ObjectStore =>
    decorate(store, ({ method }, run) => {
      requests.push(`${name} ${method}`);
      if (method === how.fail) throw new StoreError('Unavailable', 'no answer');
      return run;
    });
  const inner = createMemoryStore({ uri: 'memory://lake', clock, minimumPartSize: 1 });
  const from = watched('from', inner);
  const to =
    how.one === true
      ? from
      : watched(
          'to',
          how.server === undefined
            ? createMemoryStore({ uri: 'memory://other', clock, minimumPartSize: 1 })
            : inner,
        );
  now(inner.put('a', body.subarray(0, how.size ?? body.length)));
  const info = now(inner.head('a'));
  const place = { bucket: 'lake', ...(how.server === undefined ? {} : { server: how.server }) };
  const copy = copyObject({
    source: { store: from, ...place },
    info,
    target: { store: to, ...place },
    key: 'b',
    clock,
    random: () => 0.5,
    limits,
  });
  let error: unknown;
  copy.subscribe({ error: (each: unknown) => (error = each) });
  return { requests, error, bytes: (): Buffer => Buffer.concat(now(to.get('b')).chunks), to };
}

test.each([0, 1, MiB, MiB + 1, 2 * MiB, 2 * MiB + 1, 3.5 * MiB])(
  '%d bytes arrive, however they are copied',
  (size) => {
    for (const how of [{ server }, { server: undefined }, { server: undefined, one: true }])
      expect(
        copying({ ...how, size })
          .bytes()
          .equals(body.subarray(0, size)),
      ).toBe(true);
  },
);

test('one server copies by itself: with one request, or in parts above its limit', () => {
  expect(copying({ server, size: 2 * MiB }).requests).toEqual(['to copy']);
  expect(copying({ server }).requests).toEqual([
    ...['to createUpload', 'to copyPart', 'to copyPart', 'to copyPart', 'to copyPart', 'to completeUpload'],
  ]);
});

test('between stores one part is in memory at a time', () => {
  expect(copying({ server: undefined, size: MiB }).requests).toEqual(['from get', 'to put']);
  const { requests } = copying({ server: undefined, size: 2.5 * MiB });
  expect(requests).toEqual([
    'to createUpload',
    ...[1, 2, 3].flatMap(() => ['from get', 'to uploadPart']),
    'to completeUpload',
  ]);
});

test('a copy that fails leaves no upload', () => {
  const { error, requests, to } = copying({ server, fail: 'copyPart' });
  expect(error).toMatchObject({ code: 'Unavailable' });
  expect(requests.at(-1)).toBe('to abortUpload');
  expect(now(to.listUploads({ prefix: '' })).uploads).toEqual([]);
});
