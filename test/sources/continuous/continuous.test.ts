import { jest } from '@jest/globals';
import {
  concat,
  concatMap,
  defer,
  map,
  NEVER,
  of,
  Subject,
  take,
  throwError,
  type Observable,
  type Subscription,
} from 'rxjs';
import { createStores, decorate, StoreError, type StoreCall } from '../../../src/entries/stores.js';
import {
  fileSink,
  files,
  ndjson,
  type DiscoverOptions,
  type FilesOptions,
  type JobEvent,
  type JobOptions,
} from '../../../src/index.js';
import type { Unlisted } from '../../../src/store/objectStore.js';
import { SimulatedClock } from '../../../src/testing/index.js';
import { Lake, now } from '../../job/harness.js';

interface Line {
  readonly n: number;
}

/** A continuous job over `in/` in virtual time. */
class Live {
  readonly lake = new Lake();
  /** Requests for input by method, as they were sent. */
  readonly asked: string[] = [];
  /** Errors of the next requests for input. */
  readonly errors: StoreError[] = [];
  /** Objects that are delivered only when these emit. */
  readonly held = new Map<string, Subject<void>>();
  parallelism = 1;
  options: Partial<FilesOptions<Line>> = {};
  /** What listings report as not listed. */
  unlisted: readonly Unlisted[] = [];
  /** No object is ever delivered. */
  silent = false;
  events: JobEvent[] = [];
  /** Called before each request for input is answered. */
  before: (call: StoreCall) => void = () => undefined;
  #stop = new AbortController();
  #result: Promise<unknown> = Promise.resolve();
  #outcome: unknown;

  put(key: string, ...values: readonly number[]): void {
    this.lake.put(
      key,
      values.map((n) => ({ n })),
    );
  }

  start(
    discover: Partial<DiscoverOptions> = {},
    options: Partial<JobOptions> = {},
    uri: string | readonly string[] = 'memory://lake/in/',
  ): void {
    const store = decorate(this.lake.store, <T>(call: StoreCall, request: Observable<T>) => {
      if (!call.key.startsWith('in')) return request;
      return defer(() => {
        this.asked.push(call.method);
        this.before(call);
        if (this.silent && call.method === 'get') return NEVER;
        const held = call.method === 'get' ? this.held.get(call.key) : undefined;
        if (held !== undefined)
          return held.pipe(
            take(1),
            concatMap(() => request),
          );
        const error = this.errors.shift();
        if (error !== undefined) return throwError(() => error);
        if (call.method !== 'list') return request;
        return request.pipe(map((page) => ({ ...page, unlisted: this.unlisted })));
      });
    });
    const { clock } = this.lake;
    const { job, events } = this.lake.job({
      stores: createStores({ schemes: { memory: () => store }, clock }),
      ...options,
      checkpoints: { interval: '1s', ...options.checkpoints },
    });
    this.events = events;
    this.#outcome = undefined;
    this.#stop = new AbortController();
    const source = files<Line>(uri, {
      ...this.options,
      format: ndjson<Line>(),
      parallelism: this.parallelism,
      discover: { every: '10s', ...discover },
    });
    const leaf = job
      .source('in', source)
      .pipe(fileSink('out', 'memory://lake/out', { format: ndjson(), roll: { age: '1s' } }));
    this.#result = job.run(leaf, { signal: this.#stop.signal }).then(
      (result) => (this.#outcome = result),
      (error: unknown) => (this.#outcome = error),
    );
  }

  async pass(time: number): Promise<void> {
    for (let left = time; left > 0; left -= 500) {
      this.lake.clock.advance(Math.min(left, 500));
      for (let i = 0; i < 5; i++) await Promise.resolve();
    }
  }

  get outcome(): unknown {
    return this.#outcome;
  }

  async stop(): Promise<unknown> {
    this.#stop.abort();
    await this.pass(60_000);
    await this.#result;
    return this.#outcome;
  }

  /** What is published, sorted. */
  get read(): number[] {
    return (this.lake.lines('out/') as Line[]).map(({ n }) => n).sort((a, b) => a - b);
  }

  reported(type: JobEvent['type']): JobEvent[] {
    return this.events.filter((event) => event.type === type);
  }
}

const second = 1000;
const unavailable = (): StoreError => new StoreError('Unavailable', 'Not now.');

describe('a continuous source', () => {
  it('reads what is there, then what is added, also under earlier keys, until it is stopped', async () => {
    const live = new Live();
    live.put('in/m', 1, 2);
    live.start();
    await live.pass(5 * second);
    live.put('in/z', 3);
    live.put('in/a', 4);
    await live.pass(20 * second);
    expect(live.read).toEqual([1, 2, 3, 4]);
    expect(live.outcome).toBeUndefined();
    expect(await live.stop()).toEqual({ outcome: 'stopped' });
    live.put('in/b', 5);
    live.start();
    await live.pass(20 * second);
    expect(live.read).toEqual([1, 2, 3, 4, 5]);
    expect(await live.stop()).toEqual({ outcome: 'stopped' });
  });

  it('lists once every interval, whether anything is new or not', async () => {
    const live = new Live();
    live.start();
    await live.pass(95 * second);
    expect(live.asked).toEqual(Array(10).fill('list'));
    await live.stop();
  });

  it('keeps nothing of the rounds that are over', async () => {
    const live = new Live();
    const every = 7777;
    const { clock } = live.lake;
    const alarms: Subscription[] = [];
    jest.spyOn(clock, 'after').mockImplementation((delay, work) => {
      const alarm = SimulatedClock.prototype.after.call(clock, delay, work);
      if (delay === every) alarms.push(alarm);
      return alarm;
    });
    live.start({ every });
    await live.pass(100 * every);
    expect(alarms.length).toBeGreaterThan(90);
    expect(alarms.slice(0, -1).every(({ closed }) => closed)).toBe(true);
    await live.stop();
  });

  it('waits for input without a stall', async () => {
    const live = new Live();
    live.start({}, { stalled: { after: '2s' } });
    await live.pass(60 * second);
    expect(live.reported('stalled')).toEqual([]);
    await live.stop();
  });

  it('finds an upload that is completed long after its date', async () => {
    const live = new Live();
    const { uploadId } = now(live.lake.store.createUpload('in/late'));
    live.start({ longestUpload: '1h' });
    for (let n = 0; n < 12; n++) {
      live.put(`in/${n}`, n);
      await live.pass(300 * second);
    }
    const part = now(live.lake.store.uploadPart('in/late', uploadId, 1, Buffer.from('{"n":100}\n')));
    live.lake.store.completeUpload('in/late', uploadId, [part]).subscribe();
    await live.pass(20 * second);
    expect(live.read).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 100]);
    await live.stop();
  });

  it('does not read what was replaced after it was read, or does, as told', async () => {
    for (const changed of ['ignore', 'read'] as const) {
      const live = new Live();
      live.put('in/a', 1);
      live.start({ changed });
      await live.pass(15 * second);
      live.put('in/a', 2);
      await live.pass(20 * second);
      expect(live.read).toEqual(changed === 'read' ? [1, 2] : [1]);
      await live.stop();
      live.start({ changed });
      await live.pass(20 * second);
      expect(live.read).toEqual(changed === 'read' ? [1, 2] : [1]);
      await live.stop();
    }
  });

  it('reports an object that was changed after it was read, once', async () => {
    const live = new Live();
    live.put('in/a', 1);
    live.put('in/b', 1);
    live.start();
    await live.pass(15 * second);
    expect(live.reported('input-changed')).toEqual([]);
    for (const n of [2, 3]) {
      live.put('in/a', n);
      await live.pass(20 * second);
    }
    live.put('in/b', 2);
    await live.pass(20 * second);
    expect(live.reported('input-changed')).toEqual([
      { type: 'input-changed', operator: 'in', object: 'memory://lake/in/a', count: 1 },
      { type: 'input-changed', operator: 'in', object: 'memory://lake/in/b', count: 2 },
    ]);
    await live.stop();
  });

  it('reports what it skips once, not at every listing', async () => {
    const live = new Live();
    live.put('in/a', 1);
    const error = new StoreError('NotFound', 'It leads nowhere.');
    live.unlisted = [{ key: 'in/link', reason: 'unreadable', error }];
    live.options = { unreadable: 'skip' };
    live.start();
    await live.pass(35 * second);
    expect(live.reported('input-skipped')).toHaveLength(1);
    live.unlisted = [];
    await live.pass(20 * second);
    live.unlisted = [{ key: 'in/link', reason: 'unreadable', error }];
    await live.pass(35 * second);
    expect(live.reported('input-skipped')).toHaveLength(2);
    expect(live.read).toEqual([1]);
    await live.stop();
  });

  it('reads an object that is replaced before it is read in its new version', async () => {
    for (const changed of ['ignore', 'read'] as const) {
      const live = new Live();
      live.put('in/a', 1);
      live.put('in/b', 2);
      live.before = ({ method, key }) => {
        if (method !== 'get' || key !== 'in/a') return;
        live.before = () => undefined;
        live.put('in/a', 3);
      };
      live.start({ changed });
      await live.pass(20 * second);
      expect(live.read).toEqual([2, 3]);
      await live.stop();
    }
  });

  describe('that reads several objects at a time', () => {
    /** Two objects, the first of which is not delivered, although it is open: the second one is read. */
    const opened = async (
      discover: Partial<DiscoverOptions>,
      options: Partial<FilesOptions<Line>> = {},
    ): Promise<Live> => {
      const live = new Live();
      live.options = options;
      live.parallelism = 2;
      live.put('in/a', 1);
      live.put('in/b', 2);
      live.held.set('in/a', new Subject());
      live.start(discover);
      await live.pass(5 * second);
      expect(live.read).toEqual([2]);
      return live;
    };
    const release = (live: Live): void => {
      const held = live.held.get('in/a');
      live.held.clear();
      held?.next();
    };

    it('reads on while one object is not delivered', async () => {
      const live = await opened({});
      live.put('in/c', 3);
      await live.pass(20 * second);
      expect(live.read).toEqual([2, 3]);
      await live.stop();
      live.held.clear();
      live.start();
      await live.pass(20 * second);
      expect(live.read).toEqual([1, 2, 3]);
      await live.stop();
    });

    it('reads an open object of which it has read nothing in its new version, if it is replaced', async () => {
      for (const changed of ['ignore', 'read'] as const)
        for (const restarted of [false, true]) {
          const live = await opened({ changed });
          if (restarted) await live.stop();
          live.put('in/a', 3);
          release(live);
          if (restarted) live.start({ changed });
          await live.pass(20 * second);
          expect([changed, restarted, live.read, live.outcome]).toEqual([
            changed,
            restarted,
            [2, 3],
            undefined,
          ]);
          await live.stop();
        }
    });

    it('skips an open object that is deleted, and reads it when it comes again', async () => {
      for (const restarted of [false, true]) {
        const live = await opened({}, { vanished: 'skip' });
        if (restarted) await live.stop();
        live.lake.store.delete(['in/a']).subscribe();
        release(live);
        if (restarted) live.start();
        await live.pass(5 * second);
        live.put('in/a', 1);
        await live.pass(20 * second);
        expect(live.read).toEqual([1, 2]);
        await live.stop();
      }
    });

    it('fails at each start after an open object was deleted, until it is told to skip it as the error advises', async () => {
      const live = await opened({});
      await live.stop();
      live.lake.store.delete(['in/a']).subscribe();
      live.put('in/c', 3);
      release(live);
      const advice = expect.stringContaining("set `vanished` of the source to 'skip'") as unknown;
      for (let start = 0; start < 2; start++) {
        live.start();
        await live.pass(20 * second);
        expect(live.outcome).toMatchObject({ code: 'ObjectVanished', message: advice });
      }
      live.options = { vanished: 'skip' };
      live.start();
      await live.pass(20 * second);
      expect(live.read).toEqual([2, 3]);
      await live.stop();
      live.options = {};
      live.put('in/d', 4);
      live.start();
      await live.pass(20 * second);
      expect([live.read, live.outcome]).toEqual([[2, 3, 4], undefined]);
      await live.stop();
    });
  });

  it('fails if an object vanishes before it is read, or skips it', async () => {
    for (const vanished of ['fail', 'skip'] as const) {
      const live = new Live();
      live.put('in/a', 1);
      live.put('in/b', 2);
      live.before = ({ method, key }) => {
        if (method === 'get' && key === 'in/a') live.lake.store.delete([key]).subscribe();
      };
      live.options = { vanished };
      live.start();
      await live.pass(20 * second);
      if (vanished === 'fail') expect(live.outcome).toMatchObject({ code: 'ObjectVanished' });
      else {
        expect(live.read).toEqual([2]);
        expect(live.reported('input-skipped')).toMatchObject([{ object: 'memory://lake/in/a' }]);
        const one = { objects: 1, bytes: 8 };
        expect(live.reported('progress').at(-1)).toMatchObject({ listed: one, read: one });
        await live.stop();
      }
    }
  });

  it('reports and repeats a listing that fails, as often as it does', async () => {
    const live = new Live();
    live.put('in/a', 1);
    live.start();
    await live.pass(5 * second);
    live.put('in/b', 2);
    for (let n = 0; n < 5; n++) live.errors.push(unavailable());
    await live.pass(60 * second);
    expect(live.read).toEqual([1, 2]);
    const failed = live.reported('discovery-failed');
    expect(failed.map((event) => (event as { delayMs?: number }).delayMs)).toEqual([
      750, 1500, 3000, 6000, 12_000,
    ]);
    expect(failed[0]).toMatchObject({ operator: 'in', error: { code: 'Unavailable' } });
    expect(live.reported('restarting')).toEqual([]);
    await live.stop();
  });

  it('fails if it may not list', async () => {
    const live = new Live();
    live.errors.push(new StoreError('PermissionDenied', 'No.'));
    live.start();
    await live.pass(5 * second);
    expect(live.outcome).toMatchObject({ code: 'PermissionDenied' });
  });

  it('reads a URI without a slash that names an object, in each version', async () => {
    const live = new Live();
    live.put('in', 1);
    live.start({ changed: 'read' }, {}, 'memory://lake/in');
    await live.pass(15 * second);
    live.put('in', 2);
    await live.pass(20 * second);
    expect(live.read).toEqual([1, 2]);
    await live.stop();
  });

  it('reads several URIs; an object of two belongs to the first', async () => {
    const live = new Live();
    live.put('in/a/1', 1);
    live.start({}, {}, ['memory://lake/in/b/', 'memory://lake/in/a/*', 'memory://lake/in']);
    await live.pass(5 * second);
    live.put('in/b/1', 2);
    await live.pass(20 * second);
    expect(live.read).toEqual([1, 2]);
    expect(await live.stop()).toEqual({ outcome: 'stopped' });
    live.start({}, {}, ['memory://lake/in/b/', 'memory://lake/in/c/', 'memory://lake/in']);
    await live.pass(second);
    expect(live.outcome).toMatchObject({ code: 'BadPosition' });
  });
});

describe('its progress', () => {
  const progressOf = (live: Live): Extract<JobEvent, { type: 'progress' }> | undefined =>
    live.reported('progress').at(-1) as Extract<JobEvent, { type: 'progress' }> | undefined;

  it('is reported after each listing, with what was read over all runs, and how old the knowledge is', async () => {
    const live = new Live();
    live.put('in/a', 1);
    live.start();
    await live.pass(5 * second);
    const one = { objects: 1, bytes: 8 };
    expect(progressOf(live)).toMatchObject({ listed: one, read: one, complete: true });
    await live.pass(90 * second);
    expect(live.reported('progress').length).toBeLessThanOrEqual(14);
    expect(progressOf(live)?.requests).toEqual({ list: 10, head: 0 });
    expect(progressOf(live)?.lag?.listingMs).toBeLessThan(second);
    await live.stop();
    live.put('in/b', 2);
    live.start();
    await live.pass(5 * second);
    const two = { objects: 2, bytes: 16 };
    expect(progressOf(live)).toMatchObject({ listed: two, read: two, requests: { list: 1, head: 0 } });
    await live.stop();
  });

  it('shows the age of the oldest object that is not read, by the clock of the server', async () => {
    const live = new Live();
    live.put('in/z', 1);
    await live.pass(20 * second);
    live.put('in/a', 2, 3);
    await live.pass(10 * second);
    live.silent = true;
    live.start();
    await live.pass(2 * second);
    expect(progressOf(live)).toMatchObject({ read: { bytes: 0 }, left: { objects: 2, bytes: 24 } });
    const { oldestMs = 0 } = progressOf(live)?.lag ?? {};
    expect(oldestMs).toBeGreaterThanOrEqual(30 * second);
    expect(oldestMs).toBeLessThan(32 * second);
  });

  it('shows for how long no listing has succeeded', async () => {
    const live = new Live();
    live.start();
    await live.pass(5 * second);
    live.errors.push(...Array.from({ length: 1000 }, unavailable));
    await live.pass(100 * second);
    const { lag, requests } = progressOf(live) ?? {};
    expect(lag?.listingMs).toBeGreaterThan(60 * second);
    expect(requests?.list).toBe(live.asked.length);
    live.errors.length = 0;
    await live.pass(100 * second);
    expect(progressOf(live)?.lag?.listingMs).toBeLessThan(second);
    await live.stop();
  });
});

describe('hints', () => {
  it('are read at once, by their URI or key, with a HEAD', async () => {
    const live = new Live();
    const hints = new Subject<string>();
    live.start({ every: '1h', hints });
    await live.pass(5 * second);
    live.put('in/a', 1);
    live.put('in/b c', 2);
    live.put('other', 3);
    hints.next('in/a');
    hints.next('memory://lake/in/b%20c');
    for (const none of [
      'other',
      'in/absent',
      'memory://sea/in/a',
      'in/_hidden',
      's3://',
      'in/a',
      'memory://lake/in/%',
    ])
      hints.next(none);
    await live.pass(5 * second);
    expect(live.read).toEqual([1, 2]);
    expect(live.asked.filter((method) => method === 'head')).toHaveLength(4);
    expect(live.reported('discovery-failed')).toEqual([]);
    await live.stop();
  });

  it('are bounded: a flood is left to the next listing', async () => {
    const live = new Live();
    const hints = new Subject<string>();
    live.start({ every: '30s', hints });
    await live.pass(5 * second);
    live.before = ({ method }) => {
      if (method !== 'head') return;
      live.before = () => undefined;
      for (let n = 0; n < 5000; n++) hints.next(`in/flood-${n}`);
    };
    live.put('in/flood-4999', 1);
    hints.next('in/first');
    await live.pass(5 * second);
    expect(live.asked.filter((method) => method === 'head')).toHaveLength(1001);
    expect(live.read).toEqual([]);
    await live.pass(40 * second);
    expect(live.read).toEqual([1]);
    await live.stop();
  });

  it('may fail or complete: listings go on', async () => {
    for (const end of [
      of('in/x'),
      concat(
        of('in/x'),
        throwError(() => new Error('gone')),
      ),
      of(5 as unknown as string),
    ]) {
      const live = new Live();
      live.start({ hints: end });
      await live.pass(5 * second);
      live.put('in/a', 1);
      await live.pass(20 * second);
      expect(live.read).toEqual([1]);
      const told = live.reported('discovery-failed').map((event) => (event as { message: string }).message);
      if (told.length > 0)
        expect(told).toEqual(["The hints of source 'in' failed: new objects are found by listings only."]);
      await live.stop();
    }
  });

  it('a hint whose request fails is reported, and found by a listing', async () => {
    const live = new Live();
    const hints = new Subject<string>();
    live.start({ hints });
    await live.pass(5 * second);
    live.put('in/a', 1);
    live.errors.push(unavailable());
    hints.next('in/a');
    await live.pass(20 * second);
    expect(live.read).toEqual([1]);
    expect(live.reported('discovery-failed')).toHaveLength(1);
    await live.stop();
  });

  it('are unsubscribed from when the job stops', async () => {
    const live = new Live();
    let open = 0;
    const hints = defer(() => {
      open++;
      return NEVER;
    });
    live.start({ hints });
    await live.pass(5 * second);
    expect(open).toBe(1);
    await live.stop();
    expect(live.lake.clock.step()).toBe(false);
  });
});

test('options are checked', () => {
  const make = (discover: unknown) => () =>
    files('memory://lake/in/', { format: ndjson<Line>(), discover: discover as DiscoverOptions });
  for (const wrong of [
    {},
    { every: 0 },
    { every: 'soon' },
    { every: '1s', changed: 'maybe' },
    { every: '1s', vanished: 'skip' },
    { every: '1s', hints: ['a'] },
    { every: '1s', longestUpload: -1 },
    { every: '1s', often: true },
    'always',
    null,
  ])
    expect(make(wrong)).toThrow(expect.objectContaining({ code: 'InvalidOption' }) as Error);
  expect(make({ every: '1s' })).not.toThrow();
});
