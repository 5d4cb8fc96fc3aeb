import { Observable, of, concatMap, tap, throwError, toArray } from 'rxjs';
import {
  decorate,
  files,
  importState,
  keyed,
  listState,
  loadConfig,
  mapState,
  ndjson,
  openState,
  reducingState,
  timers,
  valueState,
  values,
  type ImportStateOptions,
  type JobOptions,
  type StateProgress,
} from '../../src/index.js';
import { createStores, StoreError, type Stores } from '../../src/entries/stores.js';
import { coded } from '../state/harness.js';
import { effort } from '../support/effort.js';
import { Lake, now } from './harness.js';

interface Visit {
  readonly user: string;
  readonly page: string;
}

const long = 'x'.repeat(3000);
const users = ['ada', '', '../A', '\ud800', long];

const perUser = keyed('per user/1', {
  key: ({ user }: Visit) => user,
  state: {
    clicks: valueState(0),
    'Pages/seen': mapState<string, number>(),
    last: listState<string>(),
    sum: reducingState((a: number, b: number) => a + b),
    due: timers('processing'),
  },
  onRecord: ({ page }, { clicks, 'Pages/seen': pages, last, sum, due }) => {
    pages.in(['day', 1]).update(page, (n = 0) => n + 1);
    last.append(page);
    sum.add(2);
    due.set(9e12, 'later');
    return [clicks.update((n) => n + 1)];
  },
  onTimer: () => [],
});
const perPage = keyed('per-page', {
  key: ({ page }: Visit) => Buffer.from(page).length,
  state: { n: valueState(0) },
  onRecord: (_, { n }) => [n.update((before) => before + 1)],
});

/** Runs a job over what is in the lake; it counts the records of this run. */
async function ran(lake: Lake, name: string, options: Partial<JobOptions> = {}): Promise<number> {
  const { job } = lake.job({ ...options, name });
  let seen = 0;
  const source = job.source('in', files('memory://lake/in/', { format: ndjson<Visit>() }));
  await lake.run(
    job,
    source.pipe(
      perUser,
      values(),
      tap(() => seen++),
    ),
    source.pipe(perPage, values()),
  );
  return seen;
}

async function made(): Promise<Lake> {
  const lake = new Lake();
  lake.put(
    'in/1.ndjson',
    users.flatMap((user) => ['/', '/a'].map((page) => ({ user, page }))),
  );
  await ran(lake, 'first');
  return lake;
}

/** All that an Observable emits in virtual time. */
function all<T>(lake: Lake, source: Observable<T>): T[] {
  let done: T[] | undefined;
  let failure: unknown;
  source.pipe(toArray()).subscribe({
    next: (found) => (done = found),
    error: (error: unknown) => (failure = error),
  });
  lake.clock.run();
  if (done === undefined) throw failure as Error;
  return done;
}

const around = (lake: Lake, stores: Stores = lake.stores) => ({ stores, clock: lake.clock });

function exported(
  lake: Lake,
  job = 'checkpoints/first',
  to = 'memory://lake/out',
  stores?: Stores,
): StateProgress[] {
  using state = openState(`memory://lake/${job}`, around(lake, stores));
  return all(lake, state.export(to));
}

function imported(
  lake: Lake,
  {
    from = 'memory://lake/out',
    to = 'memory://lake/sp',
    ...more
  }: { from?: string; to?: string } & ImportStateOptions = {},
): StateProgress[] {
  return all(lake, importState(from, to, { ...around(lake), ...more }));
}

/** Everything that a job holds. */
function contents(lake: Lake, place: string): unknown {
  using state = openState(`memory://lake/${place}`, around(lake));
  const states = all(lake, state.operators()).flatMap(({ operator, states: of }) =>
    of.map(({ name, kind, serializer }) => ({ operator, name, kind, serializer })),
  );
  return states.map((each) => ({ ...each, entries: all(lake, state.entries(each.operator, each.name)) }));
}

const keys = (lake: Lake, prefix: string): string[] => {
  const found: string[] = [];
  lake.store.list({ prefix }).subscribe(({ objects }) => found.push(...objects.map(({ key }) => key)));
  return found;
};
const bytes = (lake: Lake, key: string): Buffer => Buffer.concat(now(lake.store.get(key)).chunks);
const put = (lake: Lake, key: string, body: Uint8Array): unknown => now(lake.store.put(key, body));
const remove = (lake: Lake, keysToRemove: readonly string[]): unknown =>
  lake.store.delete(keysToRemove).subscribe();

describe('state that is exported and imported', () => {
  let lake: Lake;
  let progress: StateProgress[];
  beforeAll(async () => {
    lake = await made();
    progress = exported(lake);
    imported(lake);
  });

  test('is that of the job, and a job that starts from it continues where that one was', async () => {
    const before = contents(lake, 'checkpoints/first');
    expect(JSON.stringify(before).length).toBeGreaterThan(14_000);
    expect(contents(lake, 'sp')).toEqual(before);
    expect(await ran(lake, 'second', { from: 'memory://lake/sp' })).toBe(0);
    expect(contents(lake, 'checkpoints/second')).toEqual(before);
  });

  test('has an object for each entry, in a folder for each operator, all with short names', () => {
    const found = keys(lake, 'out/');
    expect(found).toContain(
      'out/per=20user=2f1/=50ages=2fseen/90/=05=03ada.=08=02=05=03day=03=3f=f0=00=00=00=00=00=00.state',
    );
    expect(found).toContain('out/per=20user=2f1/clicks/94/=05=00.state');
    for (const key of found) {
      expect(key).toMatch(
        /^out\/(_export\.json|(per=20user=2f1|per-page)\/(_entries\.1\.txt|[a-z0-9=_-]+\/\d+\/[a-z0-9=_.-]+\.state))$/,
      );
      expect(key.length).toBeLessThan(700);
    }
  });

  test('is reported entry by entry, and what completes it at the end', () => {
    const entries = keys(lake, 'out/').filter((key) => key.endsWith('.state'));
    expect(progress).toHaveLength(entries.length + 1);
    expect(progress.map(({ objects }) => objects.done)).toEqual([
      ...entries.map((_, i) => i + 1),
      entries.length,
    ]);
    expect(new Set(progress.slice(0, -1).map(({ uri }) => uri))).toEqual(
      new Set(entries.map((key) => `memory://lake/${key}`)),
    );
    const sizes = entries.reduce((sum, key) => sum + bytes(lake, key).length, 0);
    const end = {
      objects: { done: entries.length, total: entries.length },
      bytes: { done: sizes, total: sizes },
    };
    expect(progress.at(-1)).toEqual({ ...end, uri: 'memory://lake/out/_export.json' });
    const again = imported(lake, { to: 'memory://lake/sp2/' });
    expect(again[0]).toMatchObject({ objects: { done: 1, total: entries.length }, bytes: { total: sizes } });
    expect(again.at(-1)).toEqual({ ...end, uri: 'memory://lake/sp2/root' });
    expect(again).toHaveLength(entries.length + 1);
  });

  test('can be that of a savepoint', () => {
    exported(lake, 'sp', 'memory://lake/out2/');
    imported(lake, { from: 'memory://lake/out2', to: 'memory://lake/sp3' });
    expect(contents(lake, 'sp3')).toEqual(contents(lake, 'sp'));
  });
});

test('one operator has no folder, and comes without the positions of sources', async () => {
  const lake = await made();
  using state = openState('memory://lake/checkpoints/first', around(lake));
  all(lake, state.export('memory://lake/out', { operator: 'per-page' }));
  expect(keys(lake, 'out/')).toEqual([
    'out/_entries.1.txt',
    'out/_export.json',
    'out/n/127/=03=40=00=00=00=00=00=00=00.state',
    'out/n/86/=03=3f=f0=00=00=00=00=00=00.state',
  ]);
  imported(lake);
  expect(await ran(lake, 'second', { from: 'memory://lake/sp' })).toBe(2 * users.length);
  using second = openState('memory://lake/checkpoints/second', around(lake));
  expect(all(lake, second.get('per-page', 'n', 1))).toEqual([2 * users.length]);
  expect(() => all(lake, state.export('memory://lake/x', { operator: 'none' }))).toThrow(
    coded('StateNotFound'),
  );
});

test('a job without keyed state is exported and imported, too', async () => {
  const lake = new Lake();
  lake.put('in/1.ndjson', [1, 2]);
  const { job } = lake.job({ name: 'plain' });
  const flow = (of: typeof job) =>
    of.source('in', files('memory://lake/in/', { format: ndjson<number>() })).pipe(values());
  await lake.run(job, flow(job));
  exported(lake, 'checkpoints/plain');
  expect(keys(lake, 'out/')).toEqual(['out/_export.json']);
  imported(lake);
  const next = lake.job({ name: 'next', from: 'memory://lake/sp' });
  const seen: unknown[] = [];
  await lake.run(next.job, flow(next.job).pipe(tap((value) => seen.push(value))));
  expect(seen).toEqual([]);
});

describe('the folder', () => {
  test('must be empty', async () => {
    const lake = await made();
    lake.put('out/x', []);
    expect(() => exported(lake)).toThrow(coded('FolderNotEmpty'));
    expect(keys(lake, 'out/')).toEqual(['out/x']);
    exported(lake, 'checkpoints/first', 'memory://lake/ou');
    lake.put('sp/x', []);
    expect(() => imported(lake, { from: 'memory://lake/ou' })).toThrow(coded('FolderNotEmpty'));
    expect(keys(lake, 'sp/')).toEqual(['sp/x']);
  });

  test('is the configured one if none is named, as its extension and compression are', async () => {
    const lake = await made();
    const set = {
      'state.exports.dir': 'memory://lake/a/b',
      'state.backend.s3.state-file-extension': '.cell',
      'state.backend.s3.state-file-compression': 'false',
    };
    const config = loadConfig({ env: {}, file: false, set });
    using state = openState('memory://lake/checkpoints/first', { ...around(lake), config });
    all(lake, state.export());
    const found = keys(lake, 'a/b/').filter((key) => !key.includes('/_'));
    expect(found.every((key) => key.endsWith('.cell'))).toBe(true);
    expect(found.every((key) => bytes(lake, key)[8] === 0)).toBe(true);
    imported(lake, { from: 'memory://lake/a/b' });
    expect(contents(lake, 'sp')).toEqual(contents(lake, 'checkpoints/first'));
    using other = openState('memory://lake/checkpoints/first', around(lake));
    expect(() => all(lake, other.export())).toThrow(/state\.exports\.dir/);
    expect(() => all(lake, other.export())).toThrow(coded('InvalidOption'));
  });
});

describe('an export', () => {
  const list = 'out/per-page/_entries.1.txt';
  const entry = 'out/per=20user=2f1/clicks/94/=05=00.state';
  let made1: Lake;
  let objects: Map<string, Buffer>;
  beforeAll(async () => {
    made1 = await made();
    exported(made1);
    objects = new Map(keys(made1, 'out/').map((key) => [key, bytes(made1, key)]));
  });
  /** A lake with the export, and nothing else. */
  const copy = (): Lake => {
    const lake = new Lake();
    for (const [key, body] of objects) put(lake, key, body);
    return lake;
  };
  /** All of them; in the short form only some, the last one included. */
  const some = <T>(of: Iterable<T>): T[] => [...of].reverse().filter((_, i) => i % effort(3, 1) === 0);
  const expectError = (lake: Lake, code: string, message: string): void => {
    expect(() => imported(lake)).toThrow(coded(code));
    expect(keys(lake, 'sp/').filter((key) => key.endsWith('root'))).toEqual([]);
    remove(lake, keys(lake, 'sp/'));
    expect(() => imported(lake)).toThrow(message);
  };

  test('that lacks any object is not imported, and the error names it', () => {
    for (const key of some(objects.keys())) {
      const lake = copy();
      remove(lake, [key]);
      if (key.endsWith('_export.json')) expectError(lake, 'ExportIncomplete', '_export.json');
      else expectError(lake, 'EntryMissing', key);
    }
  });

  test('with any object cut off is not imported, and the error names it', () => {
    for (const [key, body] of some(objects)) {
      const lake = copy();
      put(lake, key, body.subarray(0, -2));
      expectError(lake, 'EntryCorrupt', key);
    }
  });

  test.each([
    ['in the folder of a group', 'out/per=20user=2f1/clicks/94/=05=01z.state'],
    ['with the name of a list', 'out/per-page/_entries.2.txt'],
    ['anywhere', 'out/zz/notes.txt'],
    ['that is a copy of an entry', 'out/per=20user=2f1/clicks/94/=05=00 (1).state'],
    ['in the folder of another operator', 'out/per-page/clicks/94/=05=00.state'],
  ])('with another object %s is not imported, and the error names it', (_, key) => {
    const lake = copy();
    put(lake, key, objects.get(entry) ?? Buffer.alloc(0));
    expectError(lake, 'EntryForeign', key);
    remove(lake, [list]);
    expectError(lake, 'EntryMissing', list);
  });

  test('that does not exist is not found', () => {
    expect(() => imported(copy(), { from: 'memory://lake/none' })).toThrow(coded('StateNotFound'));
  });

  test.each<[string, (json: Record<string, unknown>) => unknown]>([
    ['of a later version', (json) => ({ ...json, version: 2 })],
    ['without a job', (json) => ({ ...json, job: undefined })],
    [
      'with a folder that leads elsewhere',
      (json) => ({ ...json, operators: [{ ...(json['operators'] as object[])[0], folder: '../' }] }),
    ],
    ['with a position of a sink', (json) => ({ ...json, others: { out: { kind: 'sink', snapshot: {} } } })],
    ['that is a list', () => []],
  ])('with a root %s is corrupt', (_, change) => {
    const lake = copy();
    const json = JSON.parse(String(objects.get('out/_export.json'))) as Record<string, unknown>;
    put(lake, 'out/_export.json', Buffer.from(JSON.stringify(change(json))));
    expectError(lake, 'EntryCorrupt', 'out/_export.json');
  });
});

test('an imported savepoint is signed, and refused without a signature', async () => {
  const sign = { keys: 'k'.repeat(32) };
  const lake = await made();
  exported(lake);
  imported(lake, { sign });
  imported(lake, { to: 'memory://lake/unsigned' });
  const start = (name: string, from: string) => ran(lake, name, { from, checkpoints: { sign } });
  expect(await start('signed', 'memory://lake/sp')).toBe(0);
  await expect(start('other', 'memory://lake/unsigned')).rejects.toMatchObject({
    code: 'ManifestNotTrusted',
  });
});

/** Each way in which request `n` may go wrong. */
const ways = {
  fails: () => throwError(() => broken),
  'fails after it was carried out': (run: Observable<unknown>) =>
    run.pipe(concatMap(() => throwError(() => broken))),
  'is never answered': () => new Observable<never>(() => undefined),
  'is carried out and never answered': (run: Observable<unknown>) =>
    new Observable<never>(() => run.subscribe()),
};
const broken = new StoreError('PermissionDenied', 'not allowed');

describe.each(Object.entries(ways))('if a request %s', (_, way) => {
  /** Runs `work` once for each request that it makes, which goes wrong, until all requests were right. */
  async function eachRequest(
    lake: Lake,
    work: (stores: Stores) => Observable<unknown>,
    after: (n: number) => void,
  ): Promise<number> {
    for (let n = 1; ; n++) {
      let made = 0;
      const store = decorate(lake.store, (_call, run) => (++made === n ? way(run) : run));
      const stores = createStores({ schemes: { memory: () => store }, clock: lake.clock });
      let outcome: unknown = 'open';
      const subscription = work(stores).subscribe({
        error: (error: unknown) => (outcome = error),
        complete: () => (outcome = 'complete'),
      });
      lake.clock.run();
      subscription.unsubscribe();
      if (made < n) {
        expect(outcome).toBe('complete');
        return n - 1;
      }
      expect(outcome === 'open' || outcome === broken).toBe(true);
      after(n);
      await Promise.resolve();
    }
  }

  test('an export is incomplete, or complete', async () => {
    const lake = await made();
    const before = contents(lake, 'checkpoints/first');
    let complete = 0;
    const requests = await eachRequest(
      lake,
      (stores) =>
        openState('memory://lake/checkpoints/first', around(lake, stores)).export('memory://lake/out'),
      () => {
        if (keys(lake, 'out/').includes('out/_export.json')) {
          complete++;
          imported(lake);
          expect(contents(lake, 'sp')).toEqual(before);
        } else {
          expect(() => imported(lake)).toThrow(
            coded(keys(lake, 'out/').length > 0 ? 'ExportIncomplete' : 'StateNotFound'),
          );
        }
        remove(lake, [...keys(lake, 'out/'), ...keys(lake, 'sp/')]);
      },
    );
    expect(requests).toBeGreaterThan(30);
    expect(complete).toBeLessThanOrEqual(1);
  });

  test('an import leaves no savepoint, or a whole one', async () => {
    const lake = await made();
    exported(lake);
    const before = contents(lake, 'checkpoints/first');
    const requests = await eachRequest(
      lake,
      (stores) => importState('memory://lake/out', 'memory://lake/sp', around(lake, stores)),
      () => {
        if (keys(lake, 'sp/').includes('sp/root')) expect(contents(lake, 'sp')).toEqual(before);
        else
          expect(() => contents(lake, 'sp')).toThrow(
            coded(keys(lake, 'sp/').length > 0 ? 'SavepointIncomplete' : 'StateNotFound'),
          );
        remove(lake, keys(lake, 'sp/'));
      },
    );
    expect(requests).toBeGreaterThan(30);
  });
});

test('not more requests are in flight than configured, and unsubscribing aborts them', async () => {
  const lake = await made();
  for (const [set, most] of [
    [{ 's3.bulk-copy.max-concurrent': '3' }, 3],
    [{ 's3.async.enabled': 'false' }, 1],
  ] as const) {
    const config = loadConfig({ env: {}, file: false, set });
    const open = new Set<object>();
    let high = 0;
    let held = true;
    const store = decorate(lake.store, (call, run) => {
      if (!call.key.endsWith('.state') || call.key.includes('/data/')) return run;
      return new Observable((out) => {
        const token = {};
        open.add(token);
        high = Math.max(high, open.size);
        const waiting = held ? lake.clock.after(10, () => run.subscribe(out)) : of(1).subscribe();
        return () => {
          open.delete(token);
          waiting.unsubscribe();
        };
      });
    });
    const stores = createStores({ schemes: { memory: () => store }, clock: lake.clock });
    for (const work of [
      openState('memory://lake/checkpoints/first', { ...around(lake, stores), config }).export(
        'memory://lake/out',
      ),
      importState('memory://lake/out', 'memory://lake/sp', { ...around(lake, stores), config }),
    ]) {
      high = 0;
      all(lake, work);
      expect(high).toBe(most);
      expect(open.size).toBe(0);
    }
    held = true;
    remove(lake, [...keys(lake, 'out/'), ...keys(lake, 'sp/')]);
    const subscription = openState('memory://lake/checkpoints/first', { ...around(lake, stores), config })
      .export('memory://lake/out')
      .subscribe();
    while (open.size < most && lake.clock.step());
    expect(open.size).toBe(most);
    subscription.unsubscribe();
    expect(open.size).toBe(0);
    lake.clock.run();
    expect(keys(lake, 'out/')).toEqual([]);
  }
});

test('options are checked', async () => {
  const bad = (work: () => unknown): void => expect(work).toThrow(coded('InvalidOption'));
  bad(() => importState('', 'memory://lake/sp'));
  bad(() => importState('memory://lake/out', undefined as never));
  bad(() => importState('memory://lake/out', 'memory://lake/sp', { stroes: {} } as never));
  const lake = await made();
  bad(() => exported(lake, 'checkpoints/first', ''));
  using state = openState('memory://lake/checkpoints/first', around(lake));
  bad(() => all(lake, state.export('memory://lake/out', { operater: 'x' } as never)));
});
