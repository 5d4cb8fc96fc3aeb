import fc from 'fast-check';
import { lastValueFrom, of, throwError } from 'rxjs';
import type { KnownJob } from '../../src/job/doctor.js';
import {
  lifecycleAdvice,
  lifecycleFindings,
  placesOf,
  safeDays,
  type JobPlaces,
  type LifecycleFinding,
} from '../../src/job/lifecycleAdvice.js';
import { StoreError } from '../../src/store/errors.js';
import type { LifecycleRule } from '../../src/store/services.js';
import { effort } from '../support/effort.js';

const rule = (change: Partial<LifecycleRule> = {}): LifecycleRule => ({
  ...{ enabled: true, prefix: '', hasOtherFilter: false },
  ...change,
});

const clicks: JobPlaces = { checkpoints: ['checkpoints/clicks/'], outputs: ['out/'] };

/** What is found besides the missing rule for leftovers. */
const harm = (rules: readonly LifecycleRule[], places = clicks): [string, readonly string[]][] =>
  lifecycleAdvice(rules, places)
    .filter(({ problem }) => problem !== 'no-abort-rule')
    .map(({ problem, prefixes }) => [problem, prefixes]);

const uncovered = (rules: readonly LifecycleRule[], places = clicks): readonly string[] =>
  lifecycleAdvice(rules, places).find(({ problem }) => problem === 'no-abort-rule')?.prefixes ?? [];

describe('a rule that deletes', () => {
  test.each([
    ['in the whole bucket', { expireAfterDays: 3650 }],
    ['around the checkpoint folder', { prefix: 'check', expireAfterDays: 30 }],
    ['the checkpoint folder', { prefix: 'checkpoints/clicks/', expireAfterDays: 30 }],
    ['from a date on', { expireAtDate: Date.UTC(2030, 0) }],
    ['what has some tag', { expireAfterDays: 1, hasOtherFilter: true }],
  ])('%s harms checkpoints', (_, change) => {
    expect(harm([rule(change)])).toEqual([['deletes-checkpoints', ['checkpoints/clicks/']]]);
  });

  test.each([{ archiveAfterDays: 0 }, { archiveAtDate: Date.UTC(2030, 0) }])(
    'or moves to an archive harms checkpoints: %p',
    (change) => {
      expect(harm([rule(change)])).toEqual([['archives-checkpoints', ['checkpoints/clicks/']]]);
      expect(harm([rule({ prefix: 'out/', ...change })])).toEqual([]);
    },
  );

  test('in a part of the checkpoint folder harms that', () => {
    const part = rule({ prefix: 'checkpoints/clicks/data/', expireAfterDays: 30 });
    expect(harm([part])).toEqual([['deletes-checkpoints', ['checkpoints/clicks/data/']]]);
  });

  test.each([
    ['published files', { prefix: 'out/', expireAfterDays: 1 }],
    ['in another folder', { prefix: 'checkpoints/views/', expireAfterDays: 1 }],
    ['while it is disabled', { enabled: false, expireAfterDays: 1 }],
    ['noncurrent versions only', {}],
  ])('%s harms nothing', (_, change) => {
    expect(harm([rule(change)])).toEqual([]);
  });
});

describe('a rule that aborts', () => {
  test('harms open files if it has too few days', () => {
    const early = rule({ abortIncompleteAfterDays: safeDays - 1 });
    expect(harm([early])).toEqual([['aborts-open-files', ['out/']]]);
    expect(harm([rule({ abortIncompleteAfterDays: safeDays })])).toEqual([]);
    expect(harm([{ ...early, prefix: 'checkpoints/' }])).toEqual([]);
    expect(harm([{ ...early, enabled: false }])).toEqual([]);
  });

  test('removes leftovers where it applies to all keys; some is not all', () => {
    const week = { abortIncompleteAfterDays: 7 };
    expect(uncovered([])).toEqual(['checkpoints/clicks/', 'out/']);
    expect(uncovered([rule(week)])).toEqual([]);
    expect(uncovered([rule({ ...week, prefix: 'out' })])).toEqual(['checkpoints/clicks/']);
    expect(uncovered([rule({ ...week, prefix: 'out/' }), rule({ ...week, prefix: 'c' })])).toEqual([]);
    expect(uncovered([rule({ ...week, prefix: 'out/day=1/' })])).toEqual(['checkpoints/clicks/', 'out/']);
    expect(uncovered([rule({ ...week, hasOtherFilter: true })])).toHaveLength(2);
    expect(uncovered([rule({ ...week, enabled: false })])).toHaveLength(2);
    expect(uncovered([rule({ expireAfterDays: 1 })])).toHaveLength(2);
    expect(uncovered([], { checkpoints: ['c/'], outputs: [''] })).toEqual(['']);
  });
});

test('what is found follows from which keys a rule applies to', () => {
  // Short words of few letters: prefixes of each other, equal, or neither.
  const word = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 4 });
  const all = (length: number): string[] =>
    length === 0 ? [''] : all(length - 1).flatMap((start) => ['a', 'b', '/'].map((c) => start + c));
  const keys = all(4);
  fc.assert(
    fc.property(word, word, (prefix, place) => {
      const inPlace = keys.filter((key) => key.startsWith(place));
      const hit = inPlace.filter((key) => key.startsWith(prefix));
      const every = inPlace.every((key) => key.startsWith(prefix));
      const places = { checkpoints: [place], outputs: [place] };
      const rules = [rule({ prefix, expireAfterDays: 1, abortIncompleteAfterDays: 1 })];
      const found = harm(rules, places);
      expect(found.map(([problem]) => problem)).toEqual(
        hit.length > 0 ? ['deletes-checkpoints', 'aborts-open-files'] : [],
      );
      for (const [, [at = '', ...none]] of found)
        expect([keys.filter((key) => key.startsWith(at)), none]).toEqual([hit, []]);
      expect(uncovered(rules, places)).toEqual(every ? [] : [place]);
    }),
    { numRuns: effort(120, 3000) },
  );
});

describe('places of jobs', () => {
  interface Sinks {
    readonly open?: Readonly<Record<string, readonly object[]>>;
    readonly pending?: readonly object[];
    readonly entropy?: object;
  }
  const known = (
    prefix: string,
    { open = {}, pending = [], entropy }: Sinks,
    bucket = 's3://lake',
  ): KnownJob =>
    ({
      log: { store: { uri: bucket }, prefix },
      manifest: {
        operators: {
          source: { kind: 'source', open: [] },
          ...Object.fromEntries(
            Object.entries(open).map(([id, files]) => [id, { kind: 'sink', open: files }]),
          ),
        },
        pending: pending.map((committable) => ({ sink: 'old', committable })),
        entropy,
      },
    }) as unknown as KnownJob;
  const file = (key: string, store = 's3://lake'): object => ({ store, key });
  const of = (jobs: readonly KnownJob[], examined?: string): readonly (readonly string[])[] => {
    const { checkpoints, outputs } = placesOf(jobs, 's3://lake', examined);
    return [checkpoints, outputs];
  };

  test('the folder that the files of a sink have in common, open or pending', () => {
    const files = [file('out/day=1/a'), file('out/day=12/b')];
    expect(of([known('c/', { open: { out: files } })], '')).toEqual([['c/'], ['out/']]);
    expect(of([known('c/', { open: { out: [file('x/y/z')] }, pending: [file('p')] })], '')).toEqual([
      ['c/'],
      ['x/y/', ''],
    ]);
  });

  test('the examined folder, if files of some sink are unknown', () => {
    expect(of([], 'lake/out')).toEqual([[], ['lake/out/']]);
    expect(of([known('c/', {})], '')).toEqual([['c/'], ['']]);
    const some = known('c/', { open: { a: [file('a/1')], b: [{ rows: 3 }] } });
    expect(of([some], 'b/')).toEqual([['c/'], ['a/', 'b/']]);
    expect(of([some])).toEqual([['c/'], ['a/']]);
  });

  test('only those in the bucket', () => {
    const job = known('c/', { open: { out: [file('out/a', 's3://pond'), file('in/a')] } }, 's3://state');
    expect(of([job], '')).toEqual([[], ['in/']]);
  });

  test('every place of data objects with entropy', () => {
    const entropy = { at: 0, name: true, values: ['aa', 'bb'] };
    const [checkpoints] = of([known('c/', { entropy })], '');
    expect(checkpoints).toHaveLength(3);
    expect(checkpoints).toContain('c/');
  });
});

test('rules that cannot be read are a finding; other errors are errors', async () => {
  const found = (
    code: 'PermissionDenied' | 'NotSupported' | 'NotFound',
  ): Promise<readonly LifecycleFinding[]> => {
    const error = new StoreError(code, 'No.');
    return lastValueFrom(
      lifecycleFindings(
        throwError(() => error),
        [],
        's3://lake',
        '',
      ),
    );
  };
  expect(await found('PermissionDenied')).toMatchObject([{ problem: 'unreadable', verdict: 'unknown' }]);
  expect(await found('NotSupported')).toMatchObject([{ problem: 'unreadable' }]);
  await expect(found('NotFound')).rejects.toMatchObject({ code: 'NotFound' });
  const hint = await lastValueFrom(lifecycleFindings(of([]), [], 's3://lake', ''));
  expect(hint).toMatchObject([{ problem: 'no-abort-rule', prefixes: [''] }]);
});
