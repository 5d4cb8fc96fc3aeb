import { Observable } from 'rxjs';
import { isNewBatch, type OutboxMark } from '../../../src/sinks/outbox/mark.js';
import { PoisonBatch, PublishFailed } from '../../../src/sinks/outbox/errors.js';
import type { Publish } from '../../../src/sinks/outbox/options.js';
import type { Line } from '../harness.js';

/**
 * How a target meets a batch. `before`: it fails without an effect. `after`: it takes the batch, and the answer is lost.
 * `later`: nothing happens until {@link Target.release}, even if nobody waits for the answer any more.
 */
export type Meeting = 'take' | 'before' | 'after' | 'strange' | 'later';

/** A target that remembers the mark of the last batch with the rows, as in one transaction. */
export class Target {
  readonly rows: string[] = [];
  readonly calls: { readonly batch: readonly string[]; readonly mark: OutboxMark }[] = [];
  aborted = 0;
  /** It refuses rows with this in them. */
  refuses = 'poison';
  meet: () => Meeting = () => 'take';
  readonly #last = new Map<string, OutboxMark>();
  #held: (() => void)[] = [];

  readonly publish: Publish<Line> = (lines, mark, signal) => {
    const batch = lines.map(({ text }) => text);
    this.calls.push({ batch, mark });
    signal.addEventListener('abort', () => this.aborted++);
    const meeting = this.meet();
    return new Observable<never>((out) => {
      const act = (): void => {
        if (meeting === 'before') out.error(new PublishFailed('no connection'));
        else if (meeting === 'strange') out.error(new TypeError('of the target'));
        else {
          try {
            this.#take(batch, mark);
          } catch (error) {
            out.error(error);
            return;
          }
          if (meeting === 'after') out.error(new PublishFailed('no answer'));
          else out.complete();
        }
      };
      if (meeting === 'later') this.#held.push(act);
      else act();
    });
  };

  /** What was held reaches the target. */
  release(count = Infinity): void {
    for (const act of this.#held.splice(0, count)) act();
  }

  #take(batch: readonly string[], mark: OutboxMark): void {
    const key = `${mark.jobId}/${mark.sink}`;
    if (!isNewBatch(mark, this.#last.get(key))) {
      this.#last.set(key, { ...mark, ...this.#last.get(key), epoch: mark.epoch });
      return;
    }
    if (batch.some((text) => text.includes(this.refuses))) throw new PoisonBatch('A row is poison.');
    this.rows.push(...batch);
    this.#last.set(key, mark);
  }
}
