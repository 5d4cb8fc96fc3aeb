import {
  createJob,
  files,
  keyed,
  mapState,
  ndjson,
  silentLogger,
  valueState,
  values,
} from '../../../src/index.js';
import type { Serializer } from '../../../src/index.js';
import { JsonNumber } from '../../../src/formats/jsonNumbers.js';
import { jsonOf, keyOf } from '../../../src/cli/render/values.js';
import { storedKey, userKey, type Key } from '../../../src/state/index.js';
import { keyArbitrary } from '../../state/arbitraries.js';
import { same } from '../../state/harness.js';
import { memoryPlace, type Place } from '../places.js';
import { cli, put, records, type Outcome } from '../support.js';
import fc from 'fast-check';

const cents: Serializer<number> = {
  id: 'cents',
  version: 1,
  encode: (n) => Buffer.from(String(n)),
  decode: (bytes) => Number(Buffer.from(bytes).toString()),
};

describe('millrace state', () => {
  let place: Place;
  const state = (...argv: readonly string[]): Promise<Outcome> => cli(['state', ...argv], place.given);
  const job = 'memory://lake/checkpoints/visits';

  beforeAll(async () => {
    place = await memoryPlace();
    const users = ['ada', 'bo', 'ada', '', 'a/b', '\u0007'];
    await put(place.store, { 'in/1.ndjson': users.map((user) => `${JSON.stringify({ user })}\n`).join('') });
    const made = createJob({
      name: 'visits',
      checkpoints: { dir: 'memory://lake/checkpoints' },
      stores: place.given.stores!,
      logger: silentLogger,
    });
    const flow = made.source('in', files('memory://lake/in/', { format: ndjson<{ user: string }>() })).pipe(
      keyed('per-user', {
        key: ({ user }: { user: string }): Key => (user === 'bo' ? ['bo', 7n, new Date(0)] : user),
        state: {
          visits: valueState(0),
          days: mapState<Key, unknown>(),
          spent: valueState(0, { serializer: cents }),
        },
        onRecord: (_, { visits, days, spent }) => {
          days.in('2026').set(new Date(0), { at: 1n, bytes: Buffer.from('x') });
          spent.set(5);
          return [visits.update((n) => n + 1)];
        },
      }),
      values(),
    );
    await made.run(flow);
  });
  afterAll(() => place.close());

  test('ls: operators and their states', async () => {
    const { code, out, err } = await state('ls', job);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(
      /^Checkpoint \d+ of job visits, \d{4}-\d\d-\d\d \d\d:\d\d\nper-user {2}\S+ \w+ in 1 segment\n {2}days {4}map {4}5 cells {2}msgpackr 1\n {2}spent {3}value {2}5 cells {2}cents 1\n {2}visits {2}value {2}5 cells {2}msgpackr 1\n$/,
    );
  });

  test('ls --json: everything', async () => {
    const { out } = await state('ls', '--json', job);
    expect(records(out)).toEqual([
      {
        job: 'visits',
        checkpoint: expect.any(Number) as unknown,
        at: expect.any(String) as unknown,
        operator: 'per-user',
        bytes: expect.any(Number) as unknown,
        cells: 15,
        segments: 1,
        states: [
          { name: 'days', kind: 'map', serializer: { id: 'msgpackr', version: 1 }, cells: 5 },
          { name: 'spent', kind: 'value', serializer: { id: 'cents', version: 1 }, cells: 5 },
          { name: 'visits', kind: 'value', serializer: { id: 'msgpackr', version: 1 }, cells: 5 },
        ],
      },
    ]);
  });

  test('get: what a key holds', async () => {
    expect(await state('get', job, 'per-user', 'visits', 'ada')).toMatchObject({
      code: 0,
      out: '2\n',
      err: '',
    });
    expect(await state('get', job, 'per-user', 'visits', '')).toMatchObject({ code: 0, out: '1\n' });
    const days = await state('get', '--json', '-n', '2026', job, 'per-user', 'days', 'a/b');
    expect(records(days.out)).toEqual([
      {
        key: 'a/b',
        namespace: '2026',
        value: {
          $map: [
            [{ $date: '1970-01-01T00:00:00.000Z' }, { at: { $bigint: '1' }, bytes: { $bytes: 'eA==' } }],
          ],
        },
      },
    ]);
  });

  test('dump: entries, whose keys can be given back', async () => {
    const { code, out } = await state('dump', '--json', job, 'per-user', 'visits');
    expect(code).toBe(0);
    const dumped = records(out);
    expect(dumped).toHaveLength(5);
    for (const { key, value } of dumped) {
      const again = await state(
        'get',
        '--json',
        '--json-key',
        job,
        'per-user',
        'visits',
        JSON.stringify(key),
      );
      expect(records(again.out)).toEqual([{ key, value }]);
    }
    const text = await state('dump', job, 'per-user', 'visits');
    expect(text.out.split('\n').sort()).toEqual([
      '',
      '""  1',
      '"\\u0007"  1',
      '"a/b"  1',
      '"ada"  2',
      '["bo",{"$bigint":"7"},{"$date":"1970-01-01T00:00:00.000Z"}]  1',
    ]);
    const keys = await state('dump', '--keys', job, 'per-user', 'visits');
    expect(keys.out.split('\n')).toHaveLength(6);
    const ofSpace = await state('dump', '--keys', '--json', '-n', '2026', job, 'per-user', 'days');
    expect(records(ofSpace.out)).toHaveLength(5);
    expect((await state('dump', '-n', '2027', job, 'per-user', 'days')).out).toBe('');
    expect((await state('dump', job, 'per-user', 'days')).out).toContain('"ada"  "2026"  {"$map":[[');
  });

  test.each<[string, string[], number, string, string]>([
    [
      'a key that holds nothing',
      ['get', job, 'per-user', 'visits', 'eve'],
      3,
      'NotFound',
      'holds nothing for key eve',
    ],
    [
      'no such state',
      ['dump', job, 'per-user', 'x'],
      3,
      'StateNotFound',
      'Its states are days, spent, visits',
    ],
    ['no such operator', ['dump', job, 'x', 'visits'], 3, 'StateNotFound', 'are per-user'],
    ['no such job', ['ls', 'memory://lake/checkpoints/x'], 3, 'StateNotFound', 'are visits'],
    ['a directory of jobs', ['ls', 'memory://lake/checkpoints/'], 3, 'StateNotFound', 'are visits'],
    [
      'a custom serializer',
      ['get', job, 'per-user', 'spent', 'ada'],
      1,
      'SerializerMissing',
      'serializer cents',
    ],
    [
      'a key that is no JSON',
      ['get', '--json-key', job, 'per-user', 'visits', 'ada'],
      2,
      'Usage',
      'ada is not a key',
    ],
    ['wildcards', ['ls', 'memory://lake/checkpoints/*'], 2, 'Usage', 'wildcards'],
    ['too few arguments', ['get', job, 'per-user', 'visits'], 2, 'Usage', 'key'],
  ])('%s is an error', async (_, argv, code, name, what) => {
    const outcome = await state(...argv);
    expect(outcome).toMatchObject({ code, out: '' });
    expect(outcome.err).toMatch(new RegExp(`^millrace: ${name}: [^\\n]*${what}[^\\n]*\\n$`));
    const json = await state('--json', ...argv);
    expect(records(json.err)).toEqual([
      { type: 'error', code: name, exitCode: code, message: expect.stringContaining(what) as unknown },
    ]);
  });
});

test('any key comes back from JSON', () => {
  fc.assert(
    fc.property(keyArbitrary, (key) => {
      const json = JSON.stringify(jsonOf(key));
      expect(same(userKey(storedKey(keyOf(json))), userKey(storedKey(key)))).toBe(true);
    }),
  );
  for (const key of [{ $date: 'x' }, { $x: 1 }, { $object: [] }, { $a: 1, $b: 2 }])
    expect(keyOf(JSON.stringify(jsonOf(key)))).toEqual(key);
});

test('values have a form that JSON has', () => {
  const value = [undefined, -0, NaN, new Set([1]), new JsonNumber('1e999'), Uint8Array.of(1), { $x: null }];
  expect(jsonOf(value)).toEqual([
    { $undefined: true },
    { $number: '-0' },
    { $number: 'NaN' },
    { $set: [1] },
    { $json: '1e999' },
    { $bytes: 'AQ==' },
    { $object: [['$x', null]] },
  ]);
});
