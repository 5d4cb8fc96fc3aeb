import { identity, map, merge, throwError, type Observable } from 'rxjs';
import { flowOperator, FlowSubscriber, type Open, type Source } from '../../src/entries/operators.js';
import { records, values, type FlowOperator } from '../../src/index.js';
import { Lake } from './harness.js';

/** A source that counts its readers. */
function counted(open: () => unknown = () => undefined): Source<number> & { readonly readers: () => number } {
  let readers = 0;
  return {
    description: 'counted',
    readers: () => readers,
    open: () => {
      open();
      readers++;
      return { poll: () => 'end', position: () => null, bytes: 0, close: () => (readers -= 1) };
    },
  };
}

test('a leaf that fails while it is subscribed: no source is opened', async () => {
  const world = new Lake();
  const { job } = world.job();
  let opened = 0;
  const source = counted(() => (opened += 1));
  const broken = merge(
    job.source('in', source).pipe(values()),
    throwError(() => new Error('bug')),
  );
  await expect(world.run(job, broken)).rejects.toThrow('bug');
  expect(opened).toBe(0);
});

test('an operator that fails while it opens: its error is the job’s', async () => {
  class Failing extends FlowSubscriber<number, number> {
    override onOpen(open: Open): void {
      this.add(
        open.attempt.clock.after(1, () => {
          this.fail(new Error('the store is away'));
        }),
      );
    }
    override onRecord(): void {
      // There are none.
    }
  }
  const failing = (): FlowOperator<number, number> => flowOperator((out) => new Failing(out));
  for (const tail of [identity, values<number>(), records<number, number>(map((n) => n))]) {
    const world = new Lake();
    const { job } = world.job();
    const flow = job.source('in', counted()).pipe(failing()) as Observable<never>;
    await expect(world.run(job, flow.pipe(tail as typeof identity))).rejects.toThrow('the store is away');
  }
});

test('a source that cannot be opened leaves no other open', async () => {
  const world = new Lake();
  const { job } = world.job();
  const [before, after] = [counted(), counted()];
  const broken = counted(() => {
    throw new Error('no such place');
  });
  const leaves = [before, broken, after].map((source, i) => job.source(`in${i}`, source).pipe(values()));
  await expect(world.run(job, merge(...leaves))).rejects.toThrow('no such place');
  expect([before.readers(), after.readers()]).toEqual([0, 0]);
});
