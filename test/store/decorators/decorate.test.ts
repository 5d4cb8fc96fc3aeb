import { defer, firstValueFrom, throwError, type Observable } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { clockOf } from '../../../src/flow/index.js';
import { counting } from '../../../src/store/decorators/counting.js';
import { decorate, type StoreCall } from '../../../src/store/decorators/decorate.js';
import { delayed } from '../../../src/store/decorators/delay.js';
import { StoreError, type StoreErrorCode } from '../../../src/store/errors.js';
import { crashAt, faulty } from '../../../src/store/decorators/faults.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import { retrying } from '../../../src/store/decorators/retry.js';
import { seeded } from '../../../src/testing/store/support.js';
import { storeConformance } from '../../../src/testing/storeConformance.js';

const body = Buffer.from('x');

// A decorator that forwards wrongly would fail here.
storeConformance('decorated memory', () =>
  Promise.resolve({
    store: counting(
      retrying(
        crashAt(delayed(createMemoryStore({ minimumPartSize: 10 }), { before: () => 0 }), Infinity, 'before')
          .store,
      ),
    ).store,
    close: () => Promise.resolve(),
    supports: { minimumPartSize: 10 },
  }),
);

/** A store whose first `times` requests fail. */
function failing(
  code: StoreErrorCode,
  times: number,
  inner = createMemoryStore(),
): { store: ObjectStore; tries: () => number } {
  let tries = 0;
  const store = decorate(inner, (_, run) => {
    const decide = (): Observable<never> | typeof run => {
      tries += 1;
      return tries <= times ? throwError(() => new StoreError(code, 'No.')) : run;
    };
    return new Proxy(run, {
      get: (target, name) =>
        (name === 'subscribe'
          ? (...args: []) => decide().subscribe(...args)
          : Reflect.get(target, name, target)) as never,
    });
  });
  return { store, tries: () => tries };
}

/** When each attempt happened, and how the request ended, in virtual time. */
function run(
  code: StoreErrorCode,
  times: number,
  request: (store: ObjectStore) => Observable<unknown>,
  options = {},
): { at: number[]; end: string } {
  const scheduler = new TestScheduler(() => undefined);
  const clock = clockOf(scheduler);
  const at: number[] = [];
  let end = 'pending';
  scheduler.run(() => {
    const inner = decorate(createMemoryStore(), (_, next) => next);
    const { store } = failing(code, times, inner);
    const noted = decorate(store, (_, next) => {
      const source = next;
      return new Proxy(source, {
        get: (target, name) =>
          (name === 'subscribe'
            ? (...args: []) => {
                at.push(clock.now());
                return source.subscribe(...args);
              }
            : Reflect.get(target, name, target)) as never,
      });
    });
    request(retrying(noted, { clock, random: () => 1, ...options })).subscribe({
      next: () => (end = 'answer'),
      error: (error: unknown) => (end = error instanceof StoreError ? error.code : String(error)),
    });
  });
  return { at, end };
}

describe('retrying', () => {
  it('waits 100 ms, doubling, and gives up after 3 retries', () => {
    expect(run('Unavailable', 2, (store) => store.put('a', body))).toEqual({
      at: [0, 100, 300],
      end: 'answer',
    });
    expect(run('Unavailable', 9, (store) => store.list({}))).toEqual({
      at: [0, 100, 300, 700],
      end: 'Unavailable',
    });
  });

  it('waits longer when throttled, and never above the cap', () => {
    expect(run('Throttled', 9, (store) => store.list({})).at).toEqual([0, 1000, 3000, 7000]);
    expect(run('Throttled', 6, (store) => store.list({}), { retries: 6 }).at.at(-1)).toBe(
      1000 + 2000 + 4000 + 8000 + 16_000 + 20_000,
    );
  });

  it.each([
    [5000, 5000],
    [60_000, 20_000],
    [10, 250],
  ])('waits %i ms when the server asks for it, within the cap and its own draw', (retryAfter, waited) => {
    const scheduler = new TestScheduler(() => undefined);
    const clock = clockOf(scheduler);
    let answeredAt = -1;
    scheduler.run(() => {
      let tries = 0;
      const store = decorate(createMemoryStore(), (_, next) =>
        defer(() =>
          ++tries === 1 ? throwError(() => new StoreError('Throttled', 'No.', { retryAfter })) : next,
        ),
      );
      retrying(store, { clock, random: () => 0.25 })
        .list({})
        .subscribe(() => (answeredAt = clock.now()));
    });
    expect(answeredAt).toBe(waited);
  });

  it('draws the delay from the full range', () => {
    expect(run('Unavailable', 1, (store) => store.list({}), { random: () => 0.25 }).at).toEqual([0, 25]);
  });

  it('does not retry final errors, or requests that may have taken effect', () => {
    expect(run('NotFound', 1, (store) => store.list({})).at).toEqual([0]);
    expect(run('Unavailable', 1, (store) => store.put('a', body, { ifNoneMatch: '*' }))).toEqual({
      at: [0],
      end: 'Unavailable',
    });
    expect(run('Unavailable', 1, (store) => store.put('a', body, { ifMatch: 'e' })).at).toEqual([0]);
    expect(run('Unavailable', 1, (store) => store.completeUpload('a', 'u', [])).at).toEqual([0]);
    expect(run('Throttled', 1, (store) => store.put('a', body, { ifNoneMatch: '*' }))).toEqual({
      at: [0, 1000],
      end: 'answer',
    });
    expect(run('Unavailable', 1, (store) => store.get('a', { ifMatch: 'e' })).at).toEqual([0, 100]);
  });

  it('does not retry what the caller repeats', () => {
    const except = ({ method }: StoreCall) => method === 'put';
    expect(run('Throttled', 1, (store) => store.put('a', body), { except })).toEqual({
      at: [0],
      end: 'Throttled',
    });
    expect(run('Throttled', 1, (store) => store.list({}), { except }).end).toBe('answer');
  });
});

describe('crashAt', () => {
  it.each(['before', 'after'] as const)('dies at the second request, %s it took effect', async (when) => {
    const inner = createMemoryStore();
    const mortal = crashAt(inner, 2, when);
    const seen: string[] = [];
    for (const key of ['a', 'b', 'c'])
      mortal.store.put(key, body).subscribe({ next: () => seen.push(key), error: () => seen.push('error') });
    expect(seen).toEqual(['a']);
    expect(mortal.dead).toBe(true);
    expect((await firstValueFrom(inner.list({}))).objects.map(({ key }) => key)).toEqual(
      when === 'after' ? ['a', 'b'] : ['a'],
    );
  });
});

describe('faulty', () => {
  const trace = (seed: number): string[] => {
    const store = faulty(createMemoryStore(), {
      random: seeded(seed),
      before: 0.2,
      after: 0.2,
      throttled: 0.2,
    });
    const seen: string[] = [];
    for (let i = 0; i < 50; i += 1) {
      store.put(`k${i}`, body).subscribe({
        next: () => seen.push('ok'),
        error: (error: unknown) => seen.push((error as StoreError).code),
      });
    }
    return seen;
  };

  it('does the same for the same seed', () => {
    expect(trace(1)).toEqual(trace(1));
    expect(trace(1)).not.toEqual(trace(2));
    expect(new Set(trace(1))).toEqual(new Set(['ok', 'Unavailable', 'Throttled']));
  });

  it('loses the answer after the effect', async () => {
    const inner = createMemoryStore();
    const seen: string[] = [];
    faulty(inner, { random: () => 0, after: 1 })
      .put('a', body)
      .subscribe({ error: (error: unknown) => seen.push((error as StoreError).code) });
    expect(seen).toEqual(['Unavailable']);
    expect((await firstValueFrom(inner.head('a'))).size).toBe(1);
  });
});

describe('counting', () => {
  it('counts requests and bytes exactly', () => {
    const { store, counts, reset } = counting(createMemoryStore());
    store.put('a', Buffer.from('12345')).subscribe();
    store.get('a', { range: { start: 1, end: 3 } }).subscribe();
    store.head('none').subscribe({ error: () => undefined });
    expect(counts()).toEqual({
      requests: { put: 1, get: 1, head: 1 },
      total: 3,
      failed: 1,
      bytesUp: 5,
      bytesDown: 2,
    });
    reset();
    expect(counts().total).toBe(0);
  });
});
