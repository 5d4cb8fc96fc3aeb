import { values, type JobEvent, type Flow, type FlowOperator, MillraceError } from '../../src/index.js';
import {
  type Open,
  type Barrier,
  type Source,
  flowOperator,
  FlowSubscriber,
} from '../../src/entries/operators.js';
import { Lake } from './harness.js';

/** Twenty bytes of input a second, without end. */
const endless = (world: Lake): Source<number> => ({
  description: 'endless',
  open: ({ position, ready }) => {
    let next = typeof position === 'number' ? position : 0;
    let bytes = 0;
    let due = 0;
    let timer = world.clock.after(1000, function tick() {
      due++;
      timer = world.clock.after(1000, tick);
      ready();
    });
    return {
      poll: (out) => {
        if (due === 0) return 'wait';
        due--;
        out.record(next++);
        bytes += 20;
        return 'more';
      },
      position: () => next,
      get bytes() {
        return bytes;
      },
      close: () => {
        timer.unsubscribe();
      },
    };
  },
});

/** Acks a barrier if it is told to; may fail at one instead; releases no credit. */
class Picky extends FlowSubscriber<number, number> {
  constructor(
    down: ConstructorParameters<typeof FlowSubscriber<number, number>>[0],
    private readonly at: (barrier: Barrier) => 'ack' | 'keep' | 'fail',
  ) {
    super(down);
  }
  override onOpen(open: Open): void {
    open.attempt.register({ id: 'picky', kind: 'operator' });
    this.emit(open);
  }
  override onRecord(value: number): void {
    this.emit(value);
  }
  override onCredit(): void {
    // Nothing is dealt with.
  }
  override onBarrier(barrier: Barrier): void {
    this.emit(barrier);
    const what = this.at(barrier);
    if (what === 'fail') throw new MillraceError('Flaky', 'It is away.', { retryable: true });
    if (what === 'ack') barrier.ack('picky', {});
  }
}
const picky = (at: (barrier: Barrier) => 'ack' | 'keep' | 'fail'): FlowOperator<number, number> =>
  flowOperator((down) => new Picky(down, at));

/** A job that takes a checkpoint after 10 s, and waits 5 s for it. */
async function run(
  at: (barrier: Barrier) => 'ack' | 'keep' | 'fail',
  restart: object | 'none' = {},
): Promise<{ readonly error: unknown; readonly events: readonly JobEvent[]; readonly attempts: number }> {
  const world = new Lake();
  const { job, events } = world.job({
    restart: restart as never,
    checkpoints: { interval: '10s', timeout: '5s' },
  });
  const flow: Flow<number> = job.source('in', endless(world));
  const error = await world.run(job, flow.pipe(picky(at), values())).catch((failure: unknown) => failure);
  return { error, events, attempts: events.filter(({ type }) => type === 'attempt-started').length };
}

/** Answers barriers according to this list, and then never. */
function inTurn(...answers: readonly ('ack' | 'keep' | 'fail')[]): () => 'ack' | 'keep' | 'fail' {
  let next = 0;
  return () => answers[next++] ?? 'keep';
}

const failure =
  "'picky' had not acked it after 5 s; 180 B of source 'in' before its barrier had not been processed. Set a larger checkpoints.timeout, or a smaller budget, which allows fewer records before a barrier.";

test('a checkpoint that times out reports who had not acked, what was before its barrier, and what to set', async () => {
  const { error, events } = await run(inTurn(), 'none');
  expect(events.find(({ type }) => type === 'checkpoint-failed')).toEqual({
    type: 'checkpoint-failed',
    checkpoint: 1,
    waitingFor: ['picky'],
    durationMs: 5000,
    buffered: { in: 180 },
    message: `Checkpoint 1 failed: ${failure}`,
  });
  expect(error).toMatchObject({ code: 'CheckpointFailed', message: `Checkpoint 1 failed: ${failure}` });
});

test('a job in which no checkpoint becomes durable ends after three attempts, and says what to set', async () => {
  const { error, events, attempts } = await run(inTurn());
  expect(attempts).toBe(3);
  expect(error).toMatchObject({
    code: 'CheckpointsNeverDurable',
    retryable: false,
    message: `The job makes no progress: 3 attempts failed because a checkpoint timed out, and none became durable between them. Another attempt would do the same work again. Checkpoint 1 failed: ${failure}`,
    cause: { code: 'CheckpointFailed' },
  });
  expect(events.at(-1)).toEqual({ type: 'failed', job: 'test', error });
});

test('a durable checkpoint between them resets the count', async () => {
  const { error, attempts } = await run(
    inTurn('keep', 'keep', 'ack', 'keep', 'keep', 'ack', 'ack', 'keep', 'keep', 'keep'),
  );
  expect(error).toMatchObject({ code: 'CheckpointsNeverDurable' });
  expect(attempts).toBe(7);
});

test('other failures between them do not', async () => {
  const { error, attempts } = await run(inTurn('keep', 'fail', 'keep', 'fail', 'keep', 'keep'));
  expect(error).toMatchObject({ code: 'CheckpointsNeverDurable' });
  expect(attempts).toBe(5);
});

test('a limit of attempts that is lower ends the job first, with the error itself', async () => {
  const { error, attempts } = await run(inTurn(), { attempts: 1 });
  expect(error).toMatchObject({ code: 'CheckpointFailed' });
  expect(attempts).toBe(2);
});

test('an attempt that ran long without a durable checkpoint does not reset the delay', async () => {
  const delays = async (answer: 'ack' | 'keep'): Promise<readonly number[]> => {
    const { events } = await run(
      inTurn('fail', 'fail', answer, answer === 'ack' ? 'fail' : 'keep', 'keep', 'keep'),
      {
        resetAfter: '12s',
      },
    );
    return events.flatMap((event) => (event.type === 'restarting' ? [event.delayMs] : [])).slice(0, 3);
  };
  expect(await delays('ack')).toEqual([1000, 1500, 1000]);
  expect(await delays('keep')).toEqual([1000, 1500, 2250]);
});
