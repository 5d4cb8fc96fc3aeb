/** A sink that publishes one after another, each in several steps, of which every one needs an entry of the log. */
import { of, type Subscriber } from 'rxjs';
import {
  flowOperator,
  TwoPhaseSink,
  type Attempt,
  type Barrier,
  type Committable,
  type FrozenWork,
  type Prepared,
} from '../../../src/entries/operators.js';
import { files, ndjson, type Signal } from '../../../src/index.js';
import { Lake } from '../../job/harness.js';

interface Step {
  readonly uid: string;
  readonly step: number;
}

/** Publishes each record in three steps, and notes them. */
class Stepping extends TwoPhaseSink<{ n: number }, Step> {
  #attempt!: Attempt;
  #held: number[] = [];

  constructor(
    out: Subscriber<Signal>,
    private readonly concurrency: number,
    private readonly log: string[],
  ) {
    super(out, 'steps');
  }

  protected override prepare(attempt: Attempt): Prepared<Step> {
    this.#attempt = attempt;
    const { log, concurrency } = this;
    return {
      kind: {
        ...{ name: 'step', version: 1, concurrency },
        shapes: { step: (value) => typeof value === 'number' },
        encode: ({ uid, step }) => ({ uid, step }),
        decode: (stored: Committable) => stored as Committable & Step,
        publish: ({ uid, step }) => {
          log.push(`${uid.split('-').at(-1) ?? ''}:${step}`);
          return of(step < 2 ? { is: 'notYet', amended: { uid, step: step + 1 } } : { is: 'mine' });
        },
        describe: ({ uid }) => ({ uri: uid, bytes: 0, records: 1 }),
      },
    };
  }

  override onRecord({ n }: { n: number }): void {
    this.#held.push(n);
  }

  protected override freeze({ checkpoint }: Barrier): FrozenWork<Step> {
    const { jobId, epoch } = this.#attempt;
    const closed = this.#held.map((n) => ({
      committable: () => ({ uid: `${jobId}-${epoch}-${checkpoint}-${n}`, step: 0 }),
    }));
    this.#held = [];
    return { open: [], closed };
  }

  protected override get full(): boolean {
    return false;
  }
}

test.each([1, 2])(
  'a finished job settles what it publishes in steps, with a concurrency of %i',
  async (concurrency) => {
    const lake = new Lake();
    lake.put('raw/a', [{ n: 1 }, { n: 2 }, { n: 3 }]);
    const { job, events } = lake.job({ checkpoints: { interval: '1h' } });
    const log: string[] = [];
    const leaf = job
      .source('in', files('memory://lake/raw/*', { format: ndjson<{ n: number }>() }))
      .pipe(flowOperator<{ n: number }, never>((out) => new Stepping(out, concurrency, log)));
    expect(await lake.run(job, leaf)).toEqual({ outcome: 'finished' });
    const inOrder = ['1:0', '1:1', '1:2', '2:0', '2:1', '2:2', '3:0', '3:1', '3:2'];
    expect(concurrency === 1 ? log : log.toSorted()).toEqual(inOrder);
    expect(events.filter(({ type }) => type === 'committed')).toHaveLength(3);
  },
);

test('a savepoint of a running job waits for all steps, too', async () => {
  const lake = new Lake();
  lake.put('raw/a', [{ n: 1 }, { n: 2 }, { n: 3 }]);
  const { job, events } = lake.job({ checkpoints: { interval: '1h' } });
  const log: string[] = [];
  let made: Promise<string> | undefined;
  class Asking extends Stepping {
    override onRecord(record: { n: number }): void {
      super.onRecord(record);
      if (record.n === 3) made = job.savepoint('memory://lake/savepoints');
    }
  }
  const leaf = job
    .source('in', files('memory://lake/raw/*', { format: ndjson<{ n: number }>() }))
    .pipe(flowOperator<{ n: number }, never>((out) => new Asking(out, 1, log)));
  await lake.run(job, leaf);
  expect(await made).toMatch(/^memory:/);
  expect(events.filter(({ type }) => type === 'savepoint-made')).toHaveLength(1);
});
