import { Observable, of } from 'rxjs';
import {
  isNewBatch,
  isPublished,
  type OutboxLastMark,
  type OutboxMark,
} from '../../../src/sinks/outbox/mark.js';
import { PoisonBatch, PublishFailed } from '../../../src/sinks/outbox/errors.js';
import type { Publish, Published } from '../../../src/sinks/outbox/options.js';
import type { Line } from '../harness.js';

/**
 * How a target meets a batch, or the question whether it has it. `before`: it fails without an effect. `after`: it takes the batch, and the answer is
 * lost. `refuse`: it looks at the batch before it looks whether it has it.
 * `later`: nothing happens until {@link Target.release}, even if nobody waits for the answer any more.
 */
export type Meeting = 'take' | 'before' | 'after' | 'strange' | 'refuse' | 'later';

/** A target that remembers the mark of the last batch with the rows, as in one transaction. */
export class Target {
  readonly rows: string[] = [];
  readonly calls: { readonly batch: readonly string[]; readonly mark: OutboxMark }[] = [];
  aborted = 0;
  /** It refuses rows with this in them. */
  refuses = 'poison';
  meet: () => Meeting = () => 'take';
  readonly #last = new Map<string, OutboxLastMark>();
  #held: (() => void)[] = [];

  /** @param remembers `numbers`: no origins, as targets that were written for earlier versions */
  constructor(private readonly remembers: 'all' | 'numbers' = 'all') {}

  readonly publish: Publish<Line> = (lines, mark, signal) => {
    const batch = lines.map(({ text }) => text);
    this.calls.push({ batch, mark });
    signal.addEventListener('abort', () => this.aborted++);
    return this.#met(() => {
      this.#take(batch, mark);
    });
  };

  /** In one transaction, it looks and closes the door for late tries. */
  readonly published: Published<Line> = (_, mark) =>
    this.#met(() => {
      const key = keyOf(mark);
      const has = isPublished(mark, this.#last.get(key));
      if (!has) this.#last.set(key, { ...mark, skipped: true });
      return has;
    });

  /** It only looks. */
  readonly looks: Published<Line> = (_, mark) =>
    this.#met(() => isPublished(mark, this.#last.get(keyOf(mark))));

  /** What was held reaches the target. */
  release(count = Infinity): void {
    for (const act of this.#held.splice(0, count)) act();
  }

  #met<T>(effect: () => T): Observable<T> {
    const meeting = this.meet();
    return new Observable((out) => {
      const act = (): void => {
        if (meeting === 'before') out.error(new PublishFailed('no connection'));
        else if (meeting === 'strange') out.error(new TypeError('of the target'));
        else if (meeting === 'refuse') out.error(new PoisonBatch('of the target'));
        else {
          let answer: T;
          try {
            answer = effect();
          } catch (error) {
            out.error(error);
            return;
          }
          if (meeting === 'after') out.error(new PublishFailed('no answer'));
          else of(answer).subscribe(out);
        }
      };
      if (meeting === 'later') this.#held.push(act);
      else act();
    });
  }

  #take(batch: readonly string[], mark: OutboxMark): void {
    const key = keyOf(mark);
    const last = this.#last.get(key);
    if (!isNewBatch(mark, last)) {
      this.#last.set(key, { ...mark, ...last, epoch: mark.epoch });
      return;
    }
    if (batch.some((text) => text.includes(this.refuses))) throw new PoisonBatch('A row is poison.');
    this.rows.push(...batch);
    const { epoch, checkpoint, sequence } = mark;
    this.#last.set(key, this.remembers === 'all' ? mark : { epoch, checkpoint, sequence });
  }
}

const keyOf = ({ jobId, sink }: OutboxMark): string => `${jobId}/${sink}`;
