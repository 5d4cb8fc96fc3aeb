import { NEVER, Observable, of, throwError } from 'rxjs';
import type { Committable, Leftovers, Participant } from '../../src/flow/index.js';
import { StoreError } from '../../src/store/errors.js';
import type { ObjectStore } from '../../src/store/objectStore.js';
import { Harness, prefix, type Claimed } from './harness.js';
import type { Call } from './intercepted.js';

const denied = new StoreError('PermissionDenied', 'no');

const data = (epoch: number, name: string): string => `data/${String(epoch).padStart(10, '0')}/${name}`;

function uploadsIn(store: ObjectStore): string[] {
  const keys: string[] = [];
  store
    .listUploads({ prefix: '' })
    .subscribe(({ uploads }) => keys.push(...uploads.map(({ key }) => key.replace(prefix, ''))));
  return keys;
}

function beginUpload({ memory }: Harness, key: string): void {
  memory.createUpload(prefix + key).subscribe();
}

/** Ends the job, with `open` files. Returns how often the end was reported. */
function end(job: Claimed, reason: 'stop' | 'final', open: readonly Committable[] = []): { times: number } {
  const told = { times: 0 };
  job.coordinator.finish(reason).subscribe(() => told.times++);
  const barrier = job.barriers.at(-1)!;
  barrier.ack('in', {});
  barrier.ack('out', { open });
  return told;
}

/** A sink that records what it is asked to sweep. */
function noting(asked: Leftovers[], then: Observable<unknown> = of(0)): Partial<Participant> {
  return {
    sweep: (leftovers) => {
      asked.push(leftovers);
      return then;
    },
  };
}

describe('An attempt that starts', () => {
  test('removes objects and uploads of dead attempts that its claim does not name, and nothing else', () => {
    const harness = new Harness();
    const first = harness.claim().start();
    for (const name of ['kept', 'left']) harness.write(data(1, name));
    first.checkpoint(1, [], [{ uid: 'a', objects: [data(1, 'kept')] }]);
    for (const key of [data(1, 'kept-not'), data(2, 'alive'), 'data/mine']) beginUpload(harness, key);
    for (const key of [data(2, 'alive'), data(3, 'later'), 'data/mine']) harness.write(key);
    harness.memory.put('chk/other/data/0000000001/x', Buffer.from('')).subscribe();
    harness.memory.createUpload('chk/other/data/0000000001/x').subscribe();
    const second = harness.claim().start();
    expect(harness.keys('data/')).toEqual([
      ...[data(1, 'kept'), data(2, 'alive'), data(3, 'later')],
      'data/mine',
    ]);
    expect(uploadsIn(harness.memory)).toEqual([
      ...[data(2, 'alive'), 'data/mine'],
      'chk/other/data/0000000001/x',
    ]);
    expect(second.events).toContainEqual({ type: 'garbage-deleted', keys: [data(1, 'left')], failed: 0 });
    let there = 0;
    harness.memory.head('chk/other/data/0000000001/x').subscribe(() => there++);
    expect(there).toBe(1);
  });

  test('keeps what retained checkpoints need', () => {
    const harness = new Harness();
    const first = harness.claim({ retained: 2 }).start();
    for (const name of ['old', 'new']) {
      harness.write(data(1, name));
      first.checkpoint(1, [], [{ uid: name, objects: [data(1, name)] }]);
    }
    harness.claim({ retained: 2 }).start();
    expect(harness.keys('data/')).toEqual([data(1, 'new'), data(1, 'old')]);
  });

  test('lists each value of the entropy', () => {
    const harness = new Harness();
    const entropy = { at: 4, name: true, length: 4 };
    harness.claim({ entropy }).start();
    const [one = '', other = ''] = harness.manifest(1).entropy?.values ?? [];
    const at = (epoch: number, value: string): string => `chk/${value}/job/${data(epoch, `${value}/left`)}`;
    for (const epoch of [1, 2])
      for (const value of [one, other, 'cccc']) {
        harness.memory.put(at(epoch, value), Buffer.from('')).subscribe();
        harness.memory.createUpload(at(epoch, value)).subscribe();
      }
    harness.claim({ entropy }).start();
    const left = [at(2, one), at(2, other), at(1, 'cccc'), at(2, 'cccc')].sort();
    const keys: string[] = [];
    harness.memory
      .list({})
      .subscribe(({ objects }) =>
        keys.push(...objects.map(({ key }) => key).filter((key) => /left/.test(key))),
      );
    expect(keys).toEqual(left);
    expect(uploadsIn(harness.memory)).toEqual(left);
  });
});

describe('An attempt that has settled', () => {
  test('has removed its own leftovers, but not what a stop leaves open', () => {
    const harness = new Harness();
    const asked: Leftovers[] = [];
    const job = harness.claim().start(noting(asked));
    for (const name of ['kept', 'merged too late']) harness.write(data(1, name));
    beginUpload(harness, data(1, 'created twice'));
    const open = [{ uid: 'a', objects: [data(1, 'kept')] }];
    expect(end(job, 'stop', open).times).toBe(1);
    expect(harness.keys('data/')).toEqual([data(1, 'kept')]);
    expect(uploadsIn(harness.memory)).toEqual([]);
    expect(asked).toEqual([{ epoch: 1, named: open }]);
  });

  test('makes at most two listings, whatever the store holds', () => {
    const harness = new Harness();
    const job = harness.claim().start();
    for (let i = 0; i < 50; i++) {
      harness.memory.put(`chk/other/data/${i}`, Buffer.from('')).subscribe();
      harness.memory.createUpload(`elsewhere/${i}`).subscribe();
    }
    harness.log.length = 0;
    end(job, 'final');
    expect(harness.log).toEqual(['put log/2', 'list log/', 'listUploads data/', 'list data/']);
  });

  test('waits for its sinks to sweep, but not forever', () => {
    const harness = new Harness();
    const job = harness.claim().start(noting([], NEVER));
    const told = end(job, 'final');
    harness.advance(59_999);
    expect(told.times).toBe(0);
    harness.advance(1);
    expect(told.times).toBe(1);
    expect(job.events.slice(-2)).toMatchObject([
      { type: 'sweep-skipped', error: { code: 'SweepTooLong' } },
      { type: 'settled', finished: true },
    ]);
    expect(job.error).toBeUndefined();
  });

  test.each<[string, (call: Call) => boolean, string[]]>([
    ['uploads can not be listed', ({ verb }) => verb === 'listUploads', ['upload']],
    ['uploads can not be aborted', ({ verb }) => verb === 'abortUpload', ['upload']],
    ['objects can not be listed', ({ verb, key }) => verb === 'list' && key.includes('data'), ['object']],
    ['objects can not be deleted', ({ verb }) => verb === 'delete', ['object']],
  ])('is finished although %s: that is reported, and everything else is removed', (_, fails, left) => {
    const harness = new Harness();
    const store = harness.store((call, request) => (fails(call) ? throwError(() => denied) : request));
    const job = harness.claim({ store }).start();
    harness.write(data(1, 'object'));
    beginUpload(harness, data(1, 'upload'));
    expect(end(job, 'final').times).toBe(1);
    expect(job.events).toContainEqual({ type: 'sweep-skipped', error: denied });
    expect([...harness.keys('data/'), ...uploadsIn(harness.memory)]).toEqual(
      left.map((name) => data(1, name)),
    );
  });

  test('finishes although some objects cannot be deleted', () => {
    const harness = new Harness();
    const job = harness
      .claim({
        store: {
          ...harness.store(),
          delete: (keys) =>
            of(keys.filter((key) => key.endsWith('held')).map((key) => ({ key, error: denied }))),
        },
      })
      .start();
    for (const name of ['held', 'left']) harness.write(data(1, name));
    expect(end(job, 'final').times).toBe(1);
    expect(job.events.slice(-3)).toMatchObject([
      { type: 'garbage-deleted', keys: [data(1, 'left')], failed: 1 },
      { type: 'sweep-skipped', error: denied },
      { type: 'settled' },
    ]);
  });

  test('a failed sweep of a sink is reported, too', () => {
    const harness = new Harness();
    const job = harness.claim().start(
      noting(
        [],
        throwError(() => denied),
      ),
    );
    expect(end(job, 'final').times).toBe(1);
    expect(job.events).toContainEqual({ type: 'sweep-skipped', error: denied });
  });
});

describe('A fenced attempt', () => {
  function zombie(asked: Leftovers[] = []): { harness: Harness; old: Claimed; successor: Claimed } {
    const harness = new Harness();
    const old = harness.claim().start(noting(asked));
    harness.write(data(1, 'kept'));
    old.checkpoint(1, [], [{ uid: 'a', objects: [data(1, 'kept')] }]);
    const successor = harness.claim().start();
    return { harness, old, successor };
  }

  function leave({ coordinator }: Claimed, error: unknown = new Error('NoSuchUpload')): unknown {
    let why: unknown;
    coordinator.leave(error).subscribe((said) => (why = said));
    return why;
  }

  test('removes what it has created since its successor swept, and nothing that the successor needs', () => {
    const asked: Leftovers[] = [];
    const { harness, old, successor } = zombie(asked);
    successor.checkpoint(2, [], [{ uid: 'b', objects: [data(2, 'tsuccessors')] }]);
    for (const key of [data(1, 'late'), data(2, 'tsuccessors')]) harness.write(key);
    for (const key of [data(1, 'late'), data(2, 'tsuccessors')]) beginUpload(harness, key);
    expect(leave(old)).toMatchObject({ code: 'Fenced' });
    expect(harness.keys('data/')).toEqual([data(1, 'kept'), data(2, 'tsuccessors')]);
    expect(uploadsIn(harness.memory)).toEqual([data(2, 'tsuccessors')]);
    expect(asked).toEqual([
      {
        epoch: 1,
        named: [
          { uid: 'b', objects: [data(2, 'tsuccessors')] },
          { uid: 'a', objects: [data(1, 'kept')] },
        ],
      },
    ]);
  });

  test('removes its own entry that landed in a freed slot', () => {
    const harness = new Harness();
    let release: (() => void) | undefined;
    const held = { now: false };
    const store = harness.store(<T>(call: Call, request: Observable<T>) =>
      held.now && call.verb === 'put' && call.key.includes('/log/')
        ? new Observable<T>((answer) => {
            release = () => request.subscribe(answer);
          })
        : request,
    );
    const old = harness.claim({ store }).start();
    held.now = true;
    old.checkpoint(1);
    const successor = harness.claim().start();
    for (let i = 1; i <= 3; i++) successor.checkpoint(i);
    expect(harness.keys('log/')).toEqual(['log/4', 'log/5']);
    release!();
    expect(harness.keys('log/')).toEqual(['log/2', 'log/4', 'log/5']);
    expect(leave(old, old.error)).toMatchObject({ code: 'Fenced' });
    expect(harness.keys('log/')).toEqual(['log/4', 'log/5']);
  });

  test('that fails for another reason removes nothing: the next attempt does', () => {
    const harness = new Harness();
    const asked: Leftovers[] = [];
    const job = harness.claim().start(noting(asked));
    harness.write(data(1, 'mine'));
    const failure = new Error('a callback');
    expect(leave(job, failure)).toBe(failure);
    expect(harness.keys('data/')).toEqual([data(1, 'mine')]);
    expect(asked).toEqual([]);
  });

  test('touches nothing if the log now belongs to another job', () => {
    const { harness, old } = zombie();
    const keys: string[] = [];
    harness.memory.list({ prefix }).subscribe(({ objects }) => keys.push(...objects.map(({ key }) => key)));
    harness.memory.delete(keys).subscribe();
    harness.claim().start();
    const fresh = harness.claim().start();
    for (let i = 1; i <= 4; i++) fresh.checkpoint(i);
    harness.write(data(1, 'of the new job'));
    expect(fresh.coordinator.jobId).not.toBe(old.coordinator.jobId);
    expect(leave(old)).toMatchObject({ code: 'Fenced' });
    expect(harness.keys('data/')).toEqual([data(1, 'of the new job')]);
  });

  test('is fenced, and reports it, although the store rejects all deletions', () => {
    const harness = new Harness();
    const refusing = { now: false };
    const store = harness.store((_, request) => (refusing.now ? throwError(() => denied) : request));
    const old = harness.claim({ store }).start();
    harness.claim().start();
    old.checkpoint(1);
    expect(old.code).toBe('Fenced');
    refusing.now = true;
    expect(leave(old, old.error)).toBe(old.error);
    expect(old.events.at(-1)).toEqual({ type: 'sweep-skipped', error: denied });
  });
});
