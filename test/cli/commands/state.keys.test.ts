import {
  aggregatingState,
  createJob,
  files,
  keyed,
  listState,
  mapState,
  ndjson,
  openState,
  reducingState,
  silentLogger,
  timers,
  valueState,
  values,
} from '../../../src/index.js';
import type { Key } from '../../../src/state/index.js';
import { cli, lasting, put, records } from '../support.js';
import { lastValueFrom, toArray } from 'rxjs';

/** Strings that are hard for object keys, arguments, lines and encodings. */
const hard: readonly string[] = [
  '',
  ' ',
  '-n',
  '--json',
  'a/b//c/',
  '../..',
  '\0\u0001\u001b[31m\u007f',
  'line\nline\r\n\t',
  '"quoted" \\ \'single\'',
  '%2F%00 ä é 🙂',
  '\ud800',
  'a\udfff',
  '\ufeff\uffff',
  Buffer.from(Array.from({ length: 256 }, (_, i) => i)).toString('latin1'),
  'long '.repeat(2000),
];
const specs = {
  value: valueState(''),
  list: listState<string>(),
  map: mapState<Key, string>(),
  sum: reducingState<string>((a, b) => a + b),
  all: aggregatingState({
    create: (): readonly string[] => [],
    add: (those, each: string) => [...those, each],
    result: (those) => those,
  }),
  due: timers('processing'),
};
const later = Date.parse('2100-01-01');
const url = 'memory://lake/checkpoints/hard';

describe('hard keys, namespaces, names and values, of every kind', () => {
  const stores = lasting();
  beforeAll(async () => {
    await put(stores.open('memory://lake/').store, {
      'in/1.ndjson': hard.map((id) => `${JSON.stringify({ id })}\n`).join(''),
    });
    const job = createJob({
      name: 'hard',
      checkpoints: { dir: 'memory://lake/checkpoints' },
      stores,
      logger: silentLogger,
    });
    const flow = job.source('in', files('memory://lake/in/', { format: ndjson<{ id: string }>() })).pipe(
      keyed('op', {
        key: ({ id }: { id: string }) => id,
        state: specs,
        onRecord: ({ id }, { value, list, map, sum, all, due }) => {
          for (const each of [value, value.in(id)]) each.set(id);
          for (const each of [list, list.in(id)]) each.append(id, id);
          for (const each of [map, map.in(id)]) for (const name of hard) each.set(name, id);
          for (const each of [sum, sum.in(id)]) each.add(id);
          for (const each of [all, all.in(id)]) each.add(id);
          due.set(later);
          due.set(later, id);
          return [];
        },
        onTimer: () => [],
      }),
      values(),
    );
    await job.run(flow);
  });

  /** What each state holds for a key. */
  const heldBy = (id: string) => ({
    value: id,
    list: [id, id],
    map: new Map(hard.map((name) => [name, id])),
    sum: id,
    all: [id],
  });

  const inAnyOrder = (items: Iterable<unknown>): readonly unknown[] =>
    [...items].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));

  test('openState finds each, and lists all', async () => {
    using state = openState(url, { stores, states: specs });
    const get = (name: string, key: string, options = {}): Promise<unknown> =>
      lastValueFrom(state.get('op', name as keyof typeof specs, key, options));
    for (const id of hard) {
      for (const [name, held] of Object.entries(heldBy(id))) {
        expect([name, await get(name, id)]).toEqual([name, held]);
        expect([name, await get(name, id, { namespace: id })]).toEqual([name, held]);
        expect([name, await get(name, `${id}!`)]).toEqual([name, undefined]);
        expect([name, await get(name, id, { namespace: `${id}!` })]).toEqual([name, undefined]);
      }
      const due = [
        { at: later, namespace: undefined },
        { at: later, namespace: id },
      ];
      expect(inAnyOrder((await get('due', id)) as Iterable<unknown>)).toEqual(inAnyOrder([due[0]]));
      expect(await get('due', id, { namespace: id })).toEqual([due[1]]);
    }
    for (const [name] of Object.entries(heldBy(''))) {
      const all = await lastValueFrom(state.entries('op', name as keyof typeof specs).pipe(toArray()));
      const expected = hard.flatMap((id) => {
        const value = heldBy(id)[name as 'value'];
        return [
          { key: id, value },
          { key: id, namespace: id, value },
        ];
      });
      expect(all).toHaveLength(expected.length);
      expect(all).toEqual(expect.arrayContaining(expected));
    }
  });

  test('the command finds each, and dumps all, one line each', async () => {
    const run = async (...argv: readonly string[]): Promise<readonly unknown[]> => {
      const { code, out, err } = await cli(['state', ...argv], { stores });
      expect({ code, err }).toEqual({ code: 0, err: '' });
      return records(out);
    };
    const dumped = await run('dump', '--json', url, 'op', 'list');
    expect(dumped).toHaveLength(2 * hard.length);
    for (const key of hard) {
      const entry = { key, value: [key, key] };
      const inSpace = { key, namespace: key, value: [key, key] };
      expect(dumped).toEqual(expect.arrayContaining([entry, inSpace]));
      expect(await run('get', '--json', url, 'op', 'list', '--', key)).toEqual([entry]);
      const json = JSON.stringify(key);
      expect(await run('get', '--json', '--json-key', url, 'op', 'list', json)).toEqual([entry]);
      expect(await run('get', '--json', '--json-key', url, 'op', 'list', json, '-n', json)).toEqual([
        inSpace,
      ]);
      const { out, err } = await cli(['state', 'dump', '--keys', `--namespace=${key}`, url, 'op', 'map'], {
        stores,
      });
      expect([key, err, out.split('\n').length]).toEqual([key, '', 2]);
      // Nothing that a terminal would act on, and nothing that is no Unicode.
      expect(out).toMatch(/^[^\p{Cc}\p{Cs}]*\n$/u);
    }
  });
});
