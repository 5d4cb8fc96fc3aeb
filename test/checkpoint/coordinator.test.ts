import { NEVER, Observable, throwError } from 'rxjs';
import { logKey } from '../../src/checkpoint/manifest.js';
import { StoreError } from '../../src/store/errors.js';
import type { Coordinator } from '../../src/checkpoint/index.js';
import type { Barrier } from '../../src/flow/index.js';
import { Harness, outcomeOf, prefix } from './harness.js';
import type { Call } from './intercepted.js';

const lost = new StoreError('Unavailable', 'no answer');
const isManifest = ({ verb, key }: Call): boolean => verb === 'put' && key.includes('/log/');

describe('Claim', () => {
  test('a first start claims entry 1 and draws a job id; the next one repeats it with a higher epoch', () => {
    const harness = new Harness();
    const first = harness.claim();
    expect(first.coordinator.jobId).toMatch(/^[A-Za-z0-9_-]{12}$/);
    expect([first.coordinator.epoch, first.coordinator.restored('in'), first.coordinator.ids()]).toEqual([
      1,
      undefined,
      [],
    ]);
    const second = harness.claim();
    expect([second.coordinator.jobId, second.coordinator.epoch]).toEqual([first.coordinator.jobId, 2]);
    expect(harness.log).toEqual([
      ...['list log/', 'put log/1', 'list log/'],
      ...['list log/', 'get log/1', 'put log/2', 'list log/'],
    ]);
  });

  test('a restore seals: open files become pending and are passed to their sink at the start', () => {
    const harness = new Harness();
    harness
      .claim()
      .start()
      .checkpoint(7, [{ uid: 'a' }], [{ uid: 'b', tail: 'xyz' }]);
    const next = harness.claim();
    expect(next.coordinator.ids()).toEqual(['in', 'out']);
    expect(next.coordinator.restored('in')).toEqual({ snapshot: 7, pending: [] });
    expect(next.coordinator.restored('out')?.pending.map(({ uid }) => uid)).toEqual(['a', 'b']);
    expect(next.commits).toEqual([]);
    next.start();
    expect(next.commits).toEqual([[{ uid: 'a' }, { uid: 'b', tail: 'xyz' }]]);
  });

  test('a claim whose answer is lost is repeated unchanged, found to be mine, and verified', () => {
    const harness = new Harness();
    let times = 0;
    const store = harness.store((call, request) => {
      if (!isManifest(call) || ++times > 1) return request;
      request.subscribe();
      return throwError(() => lost);
    });
    const claimed = harness.claim({ store });
    expect(claimed.types).toEqual(['manifest-in-doubt']);
    harness.advance(100);
    expect(harness.log).toEqual(['list log/', 'put log/1', 'put log/1', 'get log/1', 'list log/']);
    expect(claimed.coordinator.epoch).toBe(1);
  });

  test('a claim that lands in a freed slot does not count', () => {
    const harness = new Harness();
    let release: (() => void) | undefined;
    const store = harness.store(<T>(call: Call, request: Observable<T>) =>
      isManifest(call) && release === undefined
        ? new Observable<T>((answer) => {
            release = () => request.subscribe(answer);
          })
        : request,
    );
    const zombie = harness.claim({ store });
    const owner = harness.claim().start();
    for (let i = 1; i <= 3; i++) owner.checkpoint(i);
    expect(harness.keys('log/')).toEqual(['log/3', 'log/4']);
    release!();
    expect(harness.keys('log/')).toContain('log/1'); // it did land
    expect(zombie.coordinator).toBeUndefined();
    harness.advance(1_000);
    expect([zombie.coordinator.epoch, zombie.coordinator.restored('in')?.snapshot]).toEqual([2, 3]);
    owner.checkpoint(4);
    expect(owner.code).toBe('Fenced');
  });

  test('a corrupt newest manifest, or one of a newer version, stops the claim and changes nothing', () => {
    for (const [body, code] of [
      ['garbage', 'ManifestCorrupt'],
      ['millrace-manifest 7 00000000\n{}', 'ManifestTooNew'],
    ] as const) {
      const harness = new Harness();
      harness.memory.put(prefix + logKey(3), Buffer.from(body)).subscribe();
      expect(harness.claim().code).toBe(code);
      expect(harness.keys()).toEqual(['log/3']);
    }
  });

  test('errors of a missing bucket and missing rights have advice', () => {
    const harness = new Harness();
    const failing = (error: StoreError) =>
      harness.claim({ store: harness.store(() => throwError(() => error)) }).error;
    const missing = failing(new StoreError('NotFound', 'NoSuchBucket'));
    expect([missing?.code, missing?.message]).toEqual([
      'MissingBucket',
      expect.stringContaining('a job never creates buckets'),
    ]);
    expect(failing(new StoreError('PermissionDenied', 'AccessDenied'))?.message).toContain('s3:ListBucket');
  });

  test('an unreachable store finally fails with a retryable error', () => {
    const harness = new Harness();
    const claimed = harness.claim({ store: harness.store(() => throwError(() => lost)) });
    harness.advance(60_000);
    expect([claimed.error, harness.log.length]).toEqual([lost, 8]);
  });

  test('two operators with one id, and state without an operator, are errors', () => {
    const harness = new Harness();
    const first = harness.claim().start();
    expect(() => first.coordinator.register({ id: 'in', kind: 'source' })).toThrow(
      "Two operators have the id 'in'",
    );
    first.checkpoint(1);
    const second = harness.claim().coordinator;
    second.register({ id: 'out', kind: 'sink' });
    expect(() => second.start(() => undefined)).toThrow("state for 'in'");
  });

  describe('dropped operators', () => {
    const wants = (harness: Harness, ids: readonly string[], allowDropped?: readonly string[]) => {
      const claimed = harness.claim({ allowDropped });
      for (const id of ids) claimed.coordinator.register({ id, kind: id === 'out' ? 'sink' : 'source' });
      claimed.coordinator.start((barrier) => claimed.barriers.push(barrier));
      return claimed;
    };
    const position = (harness: Harness): unknown => {
      const claimed = harness.claim();
      const { snapshot } = claimed.coordinator.restored('in') ?? {};
      claimed.coordinator.close();
      return snapshot;
    };

    test('the advice names the option', () => {
      const harness = new Harness();
      harness.claim().start().checkpoint(1);
      expect(() => wants(harness, ['out'])).toThrow('allowDropped');
    });

    test('state is dropped with the first durable checkpoint; a crash before leaves it', () => {
      const harness = new Harness();
      harness.claim().start().checkpoint(7);
      const before = wants(harness, ['out'], ['in', 'never was']);
      before.coordinator.trigger('periodic'); // not acked
      before.coordinator.close();
      expect(position(harness)).toBe(7);
      const after = wants(harness, ['out'], ['in']);
      after.coordinator.trigger('periodic').ack('out', {});
      after.coordinator.close();
      expect(position(harness)).toBeUndefined();
      expect(() => wants(harness, ['out'])).not.toThrow();
    });

    test('a crash at any request of an attempt that drops state leaves the old state or the new one', () => {
      const seen = new Set<unknown>();
      for (let crash = 0, over = false; !over; crash++) {
        const harness = new Harness();
        harness.claim().start().checkpoint(7);
        let requests = 0;
        over = true;
        const store = harness.store((_, request) => {
          if (requests++ < crash) return request;
          over = false;
          return NEVER;
        });
        const claimed = harness.claim({ store, allowDropped: ['in'] });
        const coordinator = claimed.coordinator as Coordinator | undefined;
        if (coordinator !== undefined) {
          coordinator.register({ id: 'out', kind: 'sink' });
          coordinator.start(() => undefined);
          const barrier = coordinator.trigger('periodic');
          barrier.ack('out', {});
          if (outcomeOf(barrier) === 'durable') expect(position(harness)).toBeUndefined();
          coordinator.close();
        }
        const left = position(harness);
        expect([7, undefined]).toContain(left);
        seen.add(left);
      }
      expect(seen.size).toBe(2);
    });

    test('objects of dropped state are garbage of that checkpoint, not earlier', () => {
      const harness = new Harness();
      const first = harness.claim().start();
      harness.write('data/0000000001/s');
      const barrier = first.coordinator.trigger('periodic');
      barrier.ack('in', { snapshot: 1, objects: ['data/0000000001/s'] });
      barrier.ack('out', {});
      first.coordinator.close();
      const next = wants(harness, ['out'], ['in']);
      expect(harness.keys('data/')).toEqual(['data/0000000001/s']);
      next.coordinator.trigger('periodic').ack('out', {});
      expect(harness.keys('data/')).toEqual([]);
    });

    test('an id that is in use is an error', () => {
      const harness = new Harness();
      harness.claim().start().checkpoint(1);
      expect(() => wants(harness, ['in', 'out'], ['in'])).toThrow(
        expect.objectContaining({
          code: 'DroppedOperator',
          message: expect.stringContaining("'in'") as string,
        }),
      );
    });

    test.each(['closed', 'open'] as const)(
      'a sink whose output is %s and not published is not dropped',
      (how) => {
        const harness = new Harness();
        const output = [{ uid: 'file-1', key: 'out/file-1' }];
        harness
          .claim()
          .start()
          .checkpoint(1, how === 'closed' ? output : [], how === 'open' ? output : []);
        expect(() => wants(harness, ['in'], ['out'])).toThrow(
          expect.objectContaining({
            code: 'DroppedPending',
            message: expect.stringContaining('out: out/file-1') as string,
          }),
        );
        const again = harness.claim().start();
        expect(again.commits.flat().map(({ uid }) => uid)).toEqual(['file-1']);
        again.coordinator.confirm('out', 'file-1');
        again.checkpoint(2);
        expect(() => wants(harness, ['in'], ['out'])).not.toThrow();
      },
    );
  });
});

describe('Checkpoints', () => {
  test('a checkpoint is one PUT and one LIST; then its outcome, then the commit', () => {
    const harness = new Harness();
    const order: string[] = [];
    const job = harness.claim().start({ commit: (pending) => order.push(`commit ${pending[0]!.uid}`) });
    harness.log.length = 0;
    const barrier = job.coordinator.trigger('periodic');
    barrier.outcome.subscribe((outcome) => order.push(outcome));
    barrier.ack('in', { snapshot: 1 });
    expect(harness.log).toEqual([]);
    barrier.ack('out', { closed: [{ uid: 'a' }] });
    expect(order).toEqual(['durable', 'commit a']);
    expect(harness.log).toEqual(['put log/2', 'list log/']);
    expect(job.events.at(-1)).toMatchObject({
      type: 'checkpoint-durable',
      checkpoint: 1,
      n: 2,
      durationMs: 0,
    });
  });

  test('garbage: declared in one entry, deleted once that is durable; old log entries too; exact requests', () => {
    const harness = new Harness();
    const job = harness.claim().start();
    const write = (n: number): void => {
      const name = job.coordinator.data.name('op', '.seg');
      harness.write(name);
      const barrier = job.coordinator.trigger('periodic');
      barrier.ack('in', { snapshot: n, objects: [name] });
      barrier.ack('out', {});
    };
    write(1);
    harness.log.length = 0;
    write(2);
    write(3);
    expect(harness.log).toEqual([
      ...['put log/3', 'list log/', `delete data/0000000001/op-1.seg log/1`.replace(/0{6,}/g, '')],
      ...['put log/4', 'list log/1', `delete data/0000000001/op-2.seg log/2`.replace(/0{6,}/g, '')],
    ]);
    expect(harness.manifest(4).garbage).toEqual(['data/0000000001/op-2.seg', logKey(2)]);
    expect(harness.keys()).toEqual(['data/0000000001/op-3.seg', 'log/3', 'log/4']);
  });

  test('retained: older checkpoints keep their entries and objects', () => {
    const harness = new Harness();
    const job = harness.claim({ retained: 2 }).start();
    for (let i = 1; i <= 4; i++) {
      const name = job.coordinator.data.name('op', '');
      harness.write(name);
      const barrier = job.coordinator.trigger('periodic');
      barrier.ack('in', { objects: [name] });
      barrier.ack('out', {});
    }
    expect(harness.keys()).toEqual(['data/0000000001/op-3', 'data/0000000001/op-4', 'log/4', 'log/5']);
    expect(harness.manifest(5).retained).toEqual([
      { n: 4, putId: harness.manifest(4).putId, checkpoint: 3, objects: ['data/0000000001/op-3'] },
    ]);
  });

  test('unconfirmed committables are carried, those of failed checkpoints included; confirmed ones are not', () => {
    const harness = new Harness();
    const job = harness.claim({ timeoutMs: 100, tolerableFailures: 1 }).start();
    const failing = job.coordinator.trigger('periodic');
    failing.ack('out', { closed: [{ uid: 'a' }] });
    harness.advance(100);
    expect(job.events.at(-1)).toEqual({
      type: 'checkpoint-failed',
      checkpoint: 1,
      waitingFor: ['in'],
      durationMs: 100,
      buffered: {},
      message:
        "Checkpoint 1 failed: 'in' had not acked it after 100 ms. If it stores much or slowly, set a larger checkpoints.timeout.",
    });
    job.checkpoint(2, [{ uid: 'b' }]);
    expect(harness.manifest(2)).toMatchObject({
      checkpoint: 2,
      pending: [{ committable: { uid: 'a' } }, { committable: { uid: 'b' } }],
    });
    expect(outcomeOf(failing)).toBe('subsumed');
    job.coordinator.confirm('out', 'a');
    job.coordinator.confirm('out', 'a');
    job.checkpoint(3);
    expect(harness.manifest(3).pending.map(({ committable }) => committable.uid)).toEqual(['b']);
    expect(job.events.filter(({ type }) => type === 'confirmed')).toEqual([
      { type: 'confirmed', sink: 'out', uid: 'a' },
    ]);
  });

  test('no manifest contains what a sink closed for a later barrier', () => {
    const harness = new Harness();
    const job = harness.claim().start();
    const first = job.coordinator.trigger('periodic');
    const second = job.coordinator.trigger('final');
    first.ack('out', { closed: [{ uid: 'a' }] });
    second.ack('out', { closed: [{ uid: 'b', objects: ['data/0000000001/j'] }] });
    first.ack('in', { snapshot: 1 });
    expect(harness.manifest(2).pending.map(({ committable }) => committable.uid)).toEqual(['a']);
    expect(harness.manifest(2).garbage).toEqual([]);
    second.ack('in', { snapshot: 2 });
    expect(harness.manifest(3).pending.map(({ committable }) => committable.uid)).toEqual(['a', 'b']);
  });

  test('a checkpoint waits for what a sink still has to ack for an earlier barrier', () => {
    const harness = new Harness();
    const job = harness.claim({ timeoutMs: 100, tolerableFailures: 5 }).start();
    const late = job.coordinator.trigger('periodic');
    late.ack('in', { snapshot: 1 });
    harness.advance(100);
    const next = job.checkpoint(2);
    expect(outcomeOf(next)).toBeUndefined();
    late.ack('out', { closed: [{ uid: 'a' }] });
    expect(outcomeOf(next)).toBe('durable');
    expect(harness.manifest(2)).toMatchObject({ checkpoint: 2, pending: [{ committable: { uid: 'a' } }] });
  });

  test('a checkpoint that times out without a sink’s ack of an earlier barrier names that sink', () => {
    const harness = new Harness();
    const job = harness.claim({ timeoutMs: 100, tolerableFailures: 5 }).start();
    job.coordinator.trigger('periodic').ack('in', { snapshot: 1 });
    harness.advance(100);
    job.checkpoint(2);
    expect(job.coordinator.waiting).toMatchObject({ on: 'acks', checkpoint: 2, operators: ['out'] });
    harness.advance(100);
    expect(job.events.at(-1)).toMatchObject({
      type: 'checkpoint-failed',
      checkpoint: 2,
      waitingFor: ['out'],
    });
  });

  test('a late ack of a subsumed checkpoint may name objects that are garbage by now', () => {
    const harness = new Harness();
    const job = harness.claim().start();
    const ack = (barrier: Barrier, objects: readonly string[]): void => {
      barrier.ack('in', { objects });
      barrier.ack('out', {});
    };
    ack(job.coordinator.trigger('periodic'), ['data/0000000001/a']);
    const late = job.coordinator.trigger('periodic');
    late.ack('out', {});
    ack(job.coordinator.trigger('periodic'), ['data/0000000001/c']);
    expect(outcomeOf(late)).toBe('subsumed');
    late.ack('in', { objects: ['data/0000000001/a', 'data/0000000001/b'] });
    expect(job.error).toBeUndefined();
    ack(job.coordinator.trigger('periodic'), ['data/0000000001/c']);
    expect(harness.manifest(4).garbage).toContain('data/0000000001/b');
  });

  test('an ack with an unknown id, and a second ack, are errors', () => {
    const job = new Harness().claim().start();
    const barrier = job.coordinator.trigger('periodic');
    expect(() => {
      barrier.ack('nobody', {});
    }).toThrow('never registered');
    barrier.ack('in', {});
    expect(() => {
      barrier.ack('in', {});
    }).toThrow('twice');
  });

  test('an object that was declared garbage must not be named again', () => {
    const harness = new Harness();
    const job = harness
      .claim({
        store: harness.store(<T>(call: Call, request: Observable<T>) =>
          call.verb === 'delete' ? NEVER : request,
        ),
      })
      .start();
    for (const objects of [['data/x'], []]) {
      const barrier = job.coordinator.trigger('periodic');
      barrier.ack('in', { objects });
      barrier.ack('out', {});
    }
    job.coordinator.trigger('periodic').ack('in', { objects: ['data/x'] });
    expect(job.code).toBe('GarbageReferenced');
  });
});

describe('Time', () => {
  test('periodic barriers: every interval, none while one is unfinished', () => {
    const harness = new Harness();
    const job = harness.claim({ intervalMs: 100 }).start();
    harness.advance(350);
    expect(job.barriers.map(({ checkpoint }) => checkpoint)).toEqual([1]);
    for (const id of ['in', 'out']) job.barriers[0]!.ack(id, {});
    harness.advance(100);
    expect(job.barriers.length).toBe(2);
  });

  test('a minimum pause delays the next barrier', () => {
    const harness = new Harness();
    const job = harness.claim({ intervalMs: 100, minPauseMs: 500 }).start();
    harness.advance(100);
    for (const id of ['in', 'out']) job.barriers[0]!.ack(id, {});
    harness.advance(499);
    expect(job.barriers.length).toBe(1);
    harness.advance(1);
    expect(job.barriers.length).toBe(2);
  });

  test('one failure too many fails the attempt retryably; a failure of the last barrier always does', () => {
    for (const [reason, tolerableFailures] of [
      ['periodic', 0],
      ['final', 9],
    ] as const) {
      const harness = new Harness();
      const job = harness.claim({ timeoutMs: 1_000, tolerableFailures }).start();
      job.coordinator.trigger(reason);
      harness.advance(999);
      expect(job.error).toBeUndefined();
      harness.advance(1);
      expect(job.error).toMatchObject({ code: 'CheckpointFailed', retryable: true });
    }
  });

  test('an issued manifest has no timeout: it is repeated until answered, and a later checkpoint follows it', () => {
    const harness = new Harness();
    let broken = false;
    const store = harness.store((call, request) =>
      broken && isManifest(call) ? throwError(() => lost) : request,
    );
    const job = harness.claim({ store, timeoutMs: 1_000 }).start();
    broken = true;
    const first = job.checkpoint(1);
    const second = job.checkpoint(2);
    const third = job.checkpoint(3);
    harness.advance(3_600_000);
    expect(job.error).toBeUndefined();
    expect(new Set(harness.log.filter((line) => line.startsWith('put')))).toEqual(
      new Set(['put log/1', 'put log/2']),
    );
    broken = false;
    harness.advance(20_000);
    expect([first, second, third].map(outcomeOf)).toEqual(['durable', 'subsumed', 'durable']);
    expect([harness.manifest(2).checkpoint, harness.manifest(3).checkpoint]).toEqual([1, 3]);
  });
});

describe('Fencing', () => {
  test('a superseded owner is fenced permanently, and does nothing more', () => {
    const harness = new Harness();
    const old = harness.claim().start();
    const next = harness.claim().start();
    old.checkpoint(1, [{ uid: 'a' }]);
    expect(old.error).toMatchObject({ code: 'Fenced', retryable: false });
    expect(old.commits).toEqual([]);
    expect(outcomeOf(next.checkpoint(1))).toBe('durable');
    harness.log.length = 0;
    old.checkpoint(2);
    expect(harness.log).toEqual([]);
  });

  test('a zombie’s manifest that lands in a freed slot has no effect', () => {
    const harness = new Harness();
    let hold = false;
    let release: () => void = () => undefined;
    const store = harness.store(<T>(call: Call, request: Observable<T>) =>
      hold && isManifest(call)
        ? new Observable<T>((answer) => {
            release = () => request.subscribe(answer);
          })
        : request,
    );
    const zombie = harness.claim({ store }).start();
    hold = true;
    zombie.checkpoint(1, [{ uid: 'z' }]);
    const owner = harness.claim().start();
    for (let i = 1; i <= 3; i++) owner.checkpoint(i);
    hold = false;
    release();
    expect(harness.keys('log/')).toContain('log/2');
    expect([zombie.code, zombie.commits]).toEqual(['Fenced', []]);
    expect(harness.claim().coordinator.restored('in')?.snapshot).toBe(3); // a stray is not read
  });

  test('close is a crash: the manifest in flight lands without effects, and the next start finds it', () => {
    const harness = new Harness();
    let release: () => void = () => undefined;
    const store = harness.store(<T>(call: Call, request: Observable<T>) =>
      isManifest(call) && call.key.endsWith('2')
        ? new Observable<T>((answer) => {
            release = () => {
              if (!answer.closed) request.subscribe(answer);
            };
          })
        : request,
    );
    const job = harness.claim({ store }).start();
    job.checkpoint(1, [{ uid: 'a' }]);
    job.coordinator.close();
    harness.log.length = 0;
    release();
    expect([harness.log, job.commits]).toEqual([[], []]);
    expect(harness.claim().coordinator.restored('out')?.pending).toEqual([{ uid: 'a' }]);
  });
});

describe('An amended committable that holds up its sink', () => {
  const amending = (intervalMs?: number) => {
    const harness = new Harness();
    harness
      .claim()
      .start()
      .checkpoint(1, [{ uid: 'a' }, { uid: 'b' }]);
    const commits: string[] = [];
    const job = harness.claim(intervalMs === undefined ? {} : { intervalMs });
    job.start({
      commit: (pending) => {
        for (const each of pending) {
          commits.push(`${each.uid} ${JSON.stringify(each['poison'])}`);
          if (each.uid === 'a' && each['poison'] === undefined)
            job.coordinator.amend('out', { uid: 'a', poison: 'p' }, true);
          else if (each.uid === 'a') job.coordinator.confirm('out', 'a');
        }
      },
    });
    return { harness, job, commits };
  };

  test('is in an entry of its own if there is no interval: otherwise the sink, and then its sources, would wait forever', () => {
    const { harness, job, commits } = amending();
    expect(commits).toEqual(['a undefined', 'b undefined', 'a "p"', 'b undefined']);
    expect(harness.keys().at(-1)).toBe('log/4');
    expect(harness.manifest(4)).toMatchObject({
      checkpoint: 1,
      pending: [{ committable: { uid: 'a', poison: 'p' } }, { committable: { uid: 'b' } }],
    });
    // And once only.
    job.checkpoint(2);
    expect(harness.manifest(5)).toMatchObject({ checkpoint: 2, pending: [{ committable: { uid: 'b' } }] });
  });

  test('waits for the next checkpoint if there is one', () => {
    const { harness, job, commits } = amending(100);
    expect([commits, harness.keys().at(-1)]).toEqual([['a undefined', 'b undefined'], 'log/3']);
    job.checkpoint(2);
    expect(commits.slice(2)).toEqual(['a "p"', 'b undefined']);
  });
});

describe('The end', () => {
  test('finish writes entries until nothing is pending; amended ones are published from a durable entry', () => {
    const harness = new Harness();
    const commits: string[] = [];
    const job = harness.claim().start({
      commit: (pending) => {
        for (const each of pending) {
          commits.push(`${each.uid} ${JSON.stringify(each['uploadId'])}`);
          if (each['uploadId'] === undefined) job.coordinator.amend('out', { uid: each.uid, uploadId: 'u' });
          else job.coordinator.confirm('out', each.uid);
        }
      },
    });
    let done = 0;
    job.coordinator.finish('final').subscribe(() => done++);
    const [barrier] = job.barriers;
    expect(barrier?.reason).toBe('final');
    barrier!.ack('in', {});
    barrier!.ack('out', { closed: [{ uid: 'a' }, { uid: 'b', uploadId: 'v' }] });
    expect(done).toBe(1);
    expect(commits).toEqual(['a undefined', 'b "v"', 'a "u"']);
    expect(harness.manifest(4)).toMatchObject({ finished: true, pending: [], checkpoint: 1 });
    expect(harness.keys()).toEqual(['log/3', 'log/4']);
    expect(harness.claim().coordinator.finished).toBe(true);
  });

  test('a stop settles too, but nothing is finished; no periodic barrier follows', () => {
    const harness = new Harness();
    const job = harness.claim({ intervalMs: 10 }).start();
    let done = 0;
    job.coordinator.finish('stop').subscribe(() => done++);
    const barrier = job.barriers[0]!;
    barrier.ack('in', { snapshot: 5 });
    barrier.ack('out', { closed: [{ uid: 'a' }] });
    harness.advance(1_000);
    expect([done, job.barriers.length]).toEqual([0, 1]);
    job.coordinator.confirm('out', 'a');
    expect(done).toBe(1);
    expect(harness.manifest(3).finished).toBeUndefined();
    expect(job.events.at(-1)).toEqual({ type: 'settled', n: 3, finished: false });
  });

  test('the final checkpoint follows a periodic one whose manifest is in flight', () => {
    const harness = new Harness();
    let release: () => void = () => undefined;
    const store = harness.store(<T>(call: Call, request: Observable<T>) =>
      isManifest(call) && call.key.endsWith('2')
        ? new Observable<T>((answer) => {
            release = () => request.subscribe(answer);
          })
        : request,
    );
    const job = harness.claim({ store }).start();
    const periodic = job.checkpoint(1);
    let done = 0;
    job.coordinator.finish('final').subscribe(() => done++);
    for (const id of ['in', 'out']) job.barriers.at(-1)!.ack(id, {});
    expect(done).toBe(0);
    release();
    expect([outcomeOf(periodic), done, harness.manifest(3).finished]).toEqual(['durable', 1, true]);
  });
});
