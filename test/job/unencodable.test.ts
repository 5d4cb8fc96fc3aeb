import { map } from 'rxjs';
import {
  fileSink,
  files,
  keyed,
  ndjson,
  records,
  valueState,
  type FileSinkOptions,
  type Job,
  type JobEvent,
} from '../../src/index.js';
import type { OnUnencodable } from '../../src/flow/index.js';
import { atStart } from '../formats/atStart.js';
import { Lake } from './harness.js';

interface Row {
  readonly k: string;
  readonly v: unknown;
}

const raw = (onMalformed: 'fail' | 'skip' = 'fail') =>
  files('memory://lake/raw/*', { format: ndjson<Row>(), onMalformed });
const out = <A>(options: Partial<FileSinkOptions<A>> = {}) =>
  fileSink<A>('out', 'memory://lake/out', { format: ndjson(), ...options });

const failure = (run: Promise<unknown>): Promise<unknown> =>
  run.then(
    () => undefined,
    (error: unknown) => error,
  );
/** The result of a job: its error, its output, and its `record-skipped` events. */
async function outcome(lake: Lake, job: Job, events: readonly JobEvent[], flow: Parameters<Job['run']>[0]) {
  const error = await failure(lake.run(job, flow));
  return {
    error,
    lines: lake.lines('out').map((line) => JSON.stringify(line)),
    skipped: events.filter(({ type }) => type === 'record-skipped'),
  };
}

const deep = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);

/** Keeps the last value of each key, and emits the previous one. */
const previous = () =>
  keyed('last', {
    key: ({ k }: Row) => k,
    state: { last: valueState<unknown>(null) },
    onRecord: ({ v }, { last }) => {
      const was = last.value;
      last.set(v);
      return [{ was }];
    },
  });

test('a record nested too deeply is handled as malformed, and the job continues', async () => {
  const lake = new Lake();
  const proto = '{"__proto__":{"polluted":1},"x":[{"__proto__":null}]}';
  const odd = '{"constructor":"x","toJSON":1,"__keys__":[2],"s":"\\ud800"}';
  lake.put(
    'raw/a.ndjson',
    [proto, deep(3000), odd, deep(100_000), deep(399), 'null'].map((v) => `{"k":"a","v":${v}}`),
  );
  const { job, events } = lake.job();
  await lake.run(job, job.source('raw', raw('skip')).pipe(previous(), out()));
  expect(lake.lines('out').map((line) => JSON.stringify(line))).toEqual(
    ['null', proto, odd, deep(399)].map((was) => `{"was":${was}}`),
  );
  expect(events.find(({ type }) => type === 'skipped')).toMatchObject({
    count: 2,
    reason: 'nested more than 400 deep (maxDepth)',
  });
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});

test('by default, it ends the job', async () => {
  const lake = new Lake();
  lake.put('raw/a.ndjson', [`{"k":"a","v":${deep(3000)}}`]);
  const { job } = lake.job();
  expect(await failure(lake.run(job, job.source('raw', raw()).pipe(out())))).toMatchObject({
    code: 'MalformedRecord',
  });
});

describe('a record that a sink cannot encode', () => {
  const run = async (onUnencodable?: OnUnencodable) => {
    const lake = new Lake();
    lake.put(
      'raw/a.ndjson',
      Array.from({ length: 4 }, (_, n) => ({ k: 'a', v: n })),
    );
    const { job, events } = lake.job();
    const flow = job
      .source('raw', raw())
      .pipe(
        records(map(({ v }): unknown => (Number(v) % 2 === 0 ? new Map([[v, v]]) : v))),
        out(onUnencodable === undefined ? {} : { onUnencodable }),
      );
    return outcome(lake, job, events, flow);
  };

  test('ends the job by default', async () => {
    expect((await run()).error).toMatchObject({ code: 'NotJson' });
    expect((await run('fail')).error).toMatchObject({ code: 'NotJson' });
  });

  test('is skipped, counted and reported, if configured', async () => {
    const { error, lines, skipped } = await run('skip');
    expect([error, lines]).toEqual([undefined, ['1', '3']]);
    expect(skipped).toMatchObject([
      { operator: 'out', count: 1, reason: expect.stringContaining('type Map') as string },
      { operator: 'out', count: 2 },
    ]);
  });
});

describe('a record that cannot be stored in state', () => {
  const run = async (onUnencodable?: OnUnencodable) => {
    const lake = new Lake();
    lake.put(
      'raw/a.ndjson',
      Array.from({ length: 6 }, (_, n) => ({ k: n === 5 ? 'none' : 'a', v: n })),
    );
    const { job, events } = lake.job();
    const flow = job.source('raw', raw()).pipe(
      keyed('op', {
        key: ({ k }) => (k === 'none' ? (Symbol('k') as never) : k),
        state: { n: valueState(0), last: valueState<unknown>(null) },
        *onRecord({ v }, { n, last }) {
          const count = n.update((x) => x + 1);
          yield `n${count}`;
          last.set(Number(v) % 2 === 0 ? { v, [Symbol('s')]: 1 } : { v });
          yield `v${JSON.stringify(last.value)}`;
        },
        ...(onUnencodable === undefined ? {} : { onUnencodable }),
      }),
      out(),
    );
    return outcome(lake, job, events, flow);
  };

  test('ends the job by default', async () => {
    expect((await run()).error).toMatchObject({ code: 'UnsupportedKey' });
  });

  test('is skipped with all its changes to state and all its output, if configured', async () => {
    const { error, lines, skipped } = await run('skip');
    expect([error, lines]).toEqual([undefined, ['"n1"', '"v{\\"v\\":1}"', '"n2"', '"v{\\"v\\":3}"']]);
    expect(skipped).toMatchObject([
      { operator: 'op', count: 1, reason: expect.stringContaining('State last of operator op') as string },
      { operator: 'op', count: 2 },
      { operator: 'op', count: 3 },
      { operator: 'op', count: 4, reason: expect.stringContaining('A key of operator op is') as string },
    ]);
  });

  test('the policy is one of two', () => {
    expect(() => out({ onUnencodable: 'drop' as never })).toThrow(
      expect.objectContaining({ code: 'InvalidOption' }),
    );
    const options = {
      key: () => 'k',
      state: { n: valueState(0) },
      onRecord: () => [],
      onUnencodable: 'drop',
    };
    expect(() => keyed('k', options as never)).toThrow(expect.objectContaining({ code: 'InvalidOption' }));
  });
});

describe('maxDepth of ndjson', () => {
  const read = (line: string, maxDepth?: number): unknown[] => {
    const seen: unknown[] = [];
    const format = ndjson<unknown>(maxDepth === undefined ? {} : { maxDepth });
    format.decoder(atStart).decode(
      Buffer.from(`${line}\n`),
      0,
      1,
      (value) => seen.push(value),
      ({ reason }) => seen.push(reason),
    );
    return seen;
  };

  test.each<[string, string, number | undefined, boolean]>([
    ['400 levels', deep(400), undefined, true],
    ['401 levels', deep(401), undefined, false],
    ['401 levels of objects', '{"a":'.repeat(401) + '1' + '}'.repeat(401), undefined, false],
    ['many, side by side', `[${Array(1000).fill('{}').join(',')}]`, undefined, true],
    ['brackets in strings', JSON.stringify(['["\\[{'.repeat(1000)]), undefined, true],
    ['one level', '[1]', 1, true],
    ['two levels', '[[]]', 1, false],
    ['two levels with a long number', '[[12345678901234567890]]', 1, false],
    ['3,000 levels, if asked', deep(3000), 3000, true],
  ])('%s', (_, line, maxDepth, taken) => {
    const [value] = read(line, maxDepth);
    if (taken) expect(JSON.stringify(value)).toBe(line);
    else expect(value).toBe(`nested more than ${maxDepth ?? 400} deep (maxDepth)`);
  });

  test.each([0, 3001, 1.5, '9'])('%p is an error', (maxDepth) => {
    expect(() => ndjson({ maxDepth: maxDepth as never })).toThrow(
      expect.objectContaining({ code: 'InvalidOption', key: 'ndjson: maxDepth' }),
    );
  });
});
