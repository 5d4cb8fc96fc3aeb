import { concat, concatMap, defer, ignoreElements, map, Observable, throwError } from 'rxjs';
import { counting } from '../../../src/store/decorators/counting.js';
import { decorate } from '../../../src/store/decorators/decorate.js';
import { StoreError } from '../../../src/store/errors.js';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import { now, Run, World } from '../harness.js';

const sink = { partSize: 64, roll: { size: 300 }, budget: 2048 };
const small = { minimumPartSize: 64 };
const line = (i: number): string => `line ${String(i).padStart(6, '0')}`;
const text = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, i) => `${line(from + i)}\n`).join('');

function feed(run: Run, from: number, to: number): void {
  for (let i = from; i < to; i++) run.line('p', line(i));
}

/** Runs the rest, to the end. */
function finish(world: World, run: Run, to: number): void {
  feed(run, run.position, to);
  run.end();
  for (let i = 0; i < 4; i++) run.settle();
  run.sweep(run.epoch);
  expect(run.error).toBeUndefined();
  expect(world.manifest.pending).toEqual([]);
  expect(world.published()).toEqual({ p: text(0, to) });
}

/** A store with a fault at its first Complete. */
function atComplete(meet: (run: Observable<unknown>, key: string) => Observable<unknown>, times = 1) {
  let left = times;
  return (store: ObjectStore): ObjectStore =>
    decorate(store, <T>(call: { method: string; key: string }, run: Observable<T>) =>
      call.method === 'completeUpload' && left-- > 0 ? (meet(run, call.key) as Observable<T>) : run,
    );
}

function lost(run: Observable<unknown>): Observable<unknown> {
  return concat(
    run.pipe(ignoreElements()),
    throwError(() => new StoreError('Unavailable', 'no answer')),
  );
}

describe('crash points', () => {
  test('an upload that no checkpoint names is aborted by the next attempt; foreign ones are not touched', () => {
    const world = new World(small);
    const foreign = [
      'out/p/someone-elses',
      'out/p/part-other_job_12-out-0000000001-000000000.txt',
      `out/p/part-${world.jobId}-other-0000000001-000000000.txt`,
      `out/p/part-${world.jobId}-out-0000000009-000000000.txt`,
      `elsewhere/part-${world.jobId}-out-0000000001-000000000.txt`,
    ];
    for (const key of foreign) now(world.store.createUpload(key));
    feed(new Run(world, { sink }), 0, 10);
    expect(world.uploads()).toHaveLength(foreign.length + 1);
    const second = new Run(world, { sink });
    expect(
      world
        .uploads()
        .map(({ key }) => key)
        .sort(),
    ).toEqual([...foreign].sort());
    expect(second.events).toContainEqual({ type: 'uploads-swept', operator: 'out', uploads: 1 });
  });

  test('a part that was uploaded but not persisted does not count', () => {
    const world = new World(small);
    const first = new Run(world, { sink });
    feed(first, 0, 7);
    first.barrier();
    feed(first, 7, 19); // into parts 2 and 3
    const second = new Run(world, { sink });
    expect(world.published()).toEqual({ p: text(0, 7) });
    finish(world, second, 50);
  });

  test('a tail whose checkpoint is not durable is garbage', () => {
    const world = new World(small);
    const first = new Run(world, { sink, auto: false });
    feed(first, 0, 4);
    first.barrier();
    expect(world.keys('cp')).toHaveLength(1);
    finish(world, new Run(world, { sink }), 20);
  });

  test('a graceful stop and a failure abort nothing', () => {
    const world = new World(small);
    let counts!: ReturnType<typeof counting>;
    const first = new Run(world, { sink, wrap: (store) => (counts = counting(store)).store });
    feed(first, 0, 10);
    first.barrier('stop');
    first.stop();
    expect(counts.counts().requests.abortUpload).toBeUndefined();
    expect(world.uploads()).toHaveLength(1);
    expect(world.published()).toEqual({}); // a stop flushes nothing
    const second = new Run(world, { sink });
    second.line(undefined as unknown as string, 'no partition');
    expect(second.error).toMatchObject({ code: 'InvalidPartition' });
    const third = new Run(world, { sink });
    third.line(Promise.resolve('p') as unknown as string, 'a partition that comes later');
    expect(third.error).toMatchObject({ code: 'PromiseInFlow' });
    const fourth = new Run(world, { sink });
    fourth.line(Object.create(null) as string, 'a partition that no string can be made of');
    expect(fourth.error).toMatchObject({ code: 'InvalidPartition' });
    finish(world, new Run(world, { sink }), 30);
  });

  test('closed, but its checkpoint not durable: what the previous one froze is sealed', () => {
    const world = new World(small);
    const first = new Run(world, { sink, auto: false });
    feed(first, 0, 10);
    first.barrier();
    first.durable();
    feed(first, 10, 30); // rolls
    first.barrier();
    expect(first.acked.at(-1)!.frozen.closed).toHaveLength(1);
    const second = new Run(world, { sink });
    expect(world.published()).toEqual({ p: text(0, 10) });
    finish(world, second, 50);
  });

  test('durable, but not completed: the next attempt completes', () => {
    const world = new World(small);
    const first = new Run(world, { sink, auto: false });
    feed(first, 0, 40);
    first.barrier();
    first.durable(false);
    expect(world.published()).toEqual({});
    expect(world.manifest.pending).not.toEqual([]);
    finish(world, new Run(world, { sink }), 40);
  });

  test('completed only after the HEAD of the object: HEAD is repeated', () => {
    const world = new World(small);
    let late: Observable<unknown> | undefined;
    const slow = (store: ObjectStore): ObjectStore =>
      decorate(store, (call, run) => {
        if (call.method === 'completeUpload' && late === undefined) {
          late = run;
          return throwError(() => new StoreError('Unavailable', 'no answer'));
        }
        if (call.method !== 'listParts' || late === undefined) return run;
        return concat(late.pipe(ignoreElements()), run);
      });
    const run = new Run(world, { sink, wrap: slow });
    feed(run, 0, 40);
    finish(world, run, 40);
    expect(late).toBeDefined();
  });

  test('completed, but the answer lost: it is found to be ours', () => {
    const world = new World(small);
    const first = new Run(world, { sink, wrap: atComplete(lost, 3) });
    feed(first, 0, 60);
    finish(world, first, 100);
  });

  test('not completed, and the server answers 500: repeated without a restart', () => {
    const world = new World(small);
    const refuse = atComplete(() => throwError(() => new StoreError('Unavailable', 'internal error')), 2);
    const run = new Run(world, { sink, wrap: refuse });
    feed(run, 0, 30);
    run.barrier();
    expect(run.error).toBeUndefined();
    expect(world.published()).toEqual({});
    world.clock.advance(3000); // 1 s and 2 s, at most
    expect(world.published()).toEqual({ p: text(0, 30) });
    finish(world, run, 60);
  });

  test('a server that never completes: fails with a retryable error', () => {
    const world = new World(small);
    const refuse = atComplete(() => throwError(() => new StoreError('Unavailable', 'internal error')), 100);
    const run = new Run(world, { sink, wrap: refuse });
    feed(run, 0, 30);
    run.barrier();
    world.clock.advance(15_000); // 1, 2, 4 and 8 s, at most
    expect(run.error).toMatchObject({ code: 'Unavailable', retryable: true });
  });

  test('completed by an attempt that died before it confirmed: not published again', () => {
    const world = new World(small);
    const first = new Run(world, { sink });
    feed(first, 0, 40);
    first.barrier(); // durable and completed; the next manifest would have said so
    const keys = world.keys();
    const second = new Run(world, { sink });
    expect(second.error).toBeUndefined();
    expect(world.keys()).toEqual(expect.arrayContaining(keys));
    finish(world, second, 60);
  });

  test('a foreign object at the key is an error', () => {
    const world = new World(small);
    const first = new Run(world, { sink, auto: false });
    feed(first, 0, 40);
    first.barrier();
    first.durable(false);
    const { key, uploadId } = world.uploads()[0]!;
    now(world.store.abortUpload(key, uploadId));
    now(world.store.put(key, Buffer.from('mine!'), { metadata: { 'millrace-uid': 'another' } }));
    const second = new Run(world, { sink });
    expect(second.error).toMatchObject({ code: 'ForeignObject', retryable: false });
    expect(String(second.error)).toContain(key);
  });

  test('an upload that a lifecycle rule removed is an error that names it, its checkpoint and the rule', () => {
    const world = new World(small);
    const first = new Run(world, { sink, auto: false });
    feed(first, 0, 40);
    const checkpoint = first.barrier();
    first.durable(false);
    const { key, uploadId } = world.uploads()[0]!;
    now(world.store.abortUpload(key, uploadId));
    const second = new Run(world, { sink });
    expect(second.error).toMatchObject({ code: 'LostUpload', retryable: false });
    for (const part of [key, uploadId, `checkpoint ${checkpoint}`, 'AbortIncompleteMultipartUpload']) {
      expect(String(second.error)).toContain(part);
    }
  });

  test('a server that answers 500 for an unknown upload: still lost', () => {
    const world = new World(small);
    const first = new Run(world, { sink, auto: false });
    feed(first, 0, 40);
    first.barrier();
    first.durable(false);
    const { key, uploadId } = world.uploads()[0]!;
    now(world.store.abortUpload(key, uploadId));
    const wrap = atComplete(
      () => throwError(() => new StoreError('Unavailable', 'We encountered an internal error')),
      99,
    );
    expect(new Run(world, { sink, wrap }).error).toMatchObject({ code: 'LostUpload' });
  });

  test('a committed object that a consumer has removed: accepted if configured', () => {
    const world = new World(small);
    const first = new Run(world, { sink });
    feed(first, 0, 40);
    first.barrier();
    const taken = world.keys();
    now(world.store.delete(taken));
    expect(new Run(world, { sink }).error).toMatchObject({ code: 'LostUpload' });
    const third = new Run(world, { sink: { ...sink, onMissingCommitted: 'accept' } });
    third.settle();
    expect(third.error).toBeUndefined();
    expect(third.events.filter(({ type }) => type === 'missing-committed')).toHaveLength(taken.length);
    expect(world.keys()).toHaveLength(1); // the sealed one; the removed one does not reappear
    expect(world.manifest.pending).toHaveLength(0);
  });

  test('a zombie’s late part while a file is sealed: the tail is uploaded again', () => {
    const world = new World(small);
    const first = new Run(world, { sink });
    feed(first, 0, 7);
    first.barrier();
    const { key, uploadId } = world.uploads()[0]!;
    const late = (run: Observable<unknown>): Observable<unknown> =>
      defer(() => world.store.uploadPart(key, uploadId, 2, Buffer.from('from the grave'))).pipe(
        concatMap(() => run),
      );
    const second = new Run(world, { sink, wrap: atComplete(late, 3) });
    expect(second.error).toBeUndefined();
    expect(world.published()).toEqual({ p: text(0, 7) });
    finish(world, second, 40);
  });

  test.each(['before', 'after'] as const)(
    'the tail of a sealed file meets errors %s it is uploaded: uploaded again, without a restart',
    (when) => {
      const world = new World(small);
      const first = new Run(world, { sink });
      feed(first, 0, 7);
      first.barrier();
      let left = 2;
      const wrap = (store: ObjectStore): ObjectStore =>
        decorate(store, (call, run) => {
          if (call.method !== 'uploadPart' || left-- <= 0) return run;
          const failed = throwError(() => new StoreError('Unavailable', 'no answer'));
          return when === 'before' ? failed : concat(run.pipe(ignoreElements()), failed);
        });
      const second = new Run(world, { sink, wrap });
      expect(world.published()).toEqual({});
      world.clock.advance(3000); // 1 s and 2 s, at most
      expect(second.error).toBeUndefined();
      expect(world.published()).toEqual({ p: text(0, 7) });
      finish(world, second, 40);
    },
  );

  test('part ETags that are not what the server now says (KMS): sizes by ListParts decide', () => {
    const world = new World(small);
    let n = 0;
    const wrap = (store: ObjectStore): ObjectStore => ({
      ...decorate(store, (_, run) => run),
      uploadPart: (...part) =>
        store.uploadPart(...part).pipe(map((answer) => ({ ...answer, etag: `opaque-${n++}` }))),
    });
    finish(world, new Run(world, { sink, wrap }), 50);
  });

  test('a journal that somebody else changed or removed is an error', () => {
    for (const [code, harm] of [
      [
        'CorruptJournal',
        (world: World, key: string) => now(world.store.put(key, Buffer.from('garbled'.repeat(9)))),
      ],
      ['LostJournal', (world: World, key: string) => now(world.store.delete([key]))],
    ] as const) {
      const world = new World(small);
      const first = new Run(world, { sink });
      feed(first, 0, 4);
      first.barrier();
      harm(world, world.keys('cp')[0]!);
      expect(new Run(world, { sink }).error).toMatchObject({ code });
    }
  });

  test('a manifest names the upload before it is completed', () => {
    const world = new World(small);
    const first = new Run(world, { sink });
    feed(first, 0, 3);
    first.barrier();
    expect(world.manifest.open[0]!['uploadId']).toBeUndefined();
    const second = new Run(world, { sink });
    expect(world.published()).toEqual({});
    expect(second.pending[0]!['uploadId']).toBeDefined();
    expect(second.pending[0]!.objects).toBeUndefined();
    second.commit(); // the old manifest again
    expect(world.published()).toEqual({});
    second.settle();
    expect(world.published()).toEqual({ p: text(0, 3) });
  });

  test('a zombie that sweeps late aborts no upload that its successor has created for a file without one', () => {
    const world = new World(small);
    const first = new Run(world, { sink });
    feed(first, 0, 3);
    first.barrier();
    expect(world.manifest.open[0]!['uploadId']).toBeUndefined();
    let list: () => void = () => undefined;
    const zombie = new Run(world, {
      sink,
      wrap: (store) => ({
        ...decorate(store, (_, run) => run),
        listUploads: (options) =>
          new Observable((out) => {
            list = () => store.listUploads(options).subscribe(out);
          }),
      }),
    });
    const next = new Run(world, { sink });
    list();
    finish(world, next, 20);
    expect(zombie.error).toBeUndefined();
  });

  test('listing uploads is not allowed: a warning, and no sweep', () => {
    const world = new World(small);
    feed(new Run(world, { sink }), 0, 10);
    const wrap = (store: ObjectStore): ObjectStore => ({
      ...decorate(store, (_, run) => run),
      listUploads: () => throwError(() => new StoreError('PermissionDenied', 'no')),
    });
    const second = new Run(world, { sink, wrap });
    expect(second.events).toMatchObject([{ type: 'warning', operator: 'out' }]);
    finish(world, second, 20);
    expect(world.uploads()).toHaveLength(1);
  });

  test('if Complete cannot omit parts, no file is left open by a checkpoint', () => {
    const world = new World({ ...small, completeSubset: false });
    const first = new Run(world, { sink });
    for (let i = 0; i < 40; i++) {
      feed(first, i, i + 1);
      if (i % 7 === 6) first.barrier();
    }
    for (const { frozen } of first.acked) expect(frozen.open).toEqual([]);
    expect(world.published()).toEqual({ p: text(0, 35) });
    finish(world, new Run(world, { sink }), 60);
  });

  test('an ack waits for the parts and journals before it, and acks keep their order', () => {
    const world = new World(small);
    let hold: (() => void)[] | undefined = [];
    const wrap = (store: ObjectStore): ObjectStore =>
      decorate(store, (call, run) =>
        hold !== undefined && call.method === 'uploadPart'
          ? run.pipe(concatMap((answer) => world.gate(hold!, answer)))
          : run,
      );
    const run = new Run(world, { sink, wrap });
    feed(run, 0, 7);
    run.barrier();
    const parts = hold;
    hold = undefined;
    run.barrier();
    expect(run.acked).toEqual([]);
    for (const open of parts) open();
    expect(run.acked.map(({ checkpoint }) => checkpoint)).toEqual([1, 2]);
    finish(world, run, 20);
  });
});
