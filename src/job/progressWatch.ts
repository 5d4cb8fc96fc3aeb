import type { Subscription } from 'rxjs';
import { monotonic, type Clock } from '../flow/index.js';
import type { ProgressEvent } from '../sources/events.js';
import {
  progressChannel,
  type ProgressMessage,
  type SourceProgress,
} from '../store/observe/sourceProgress.js';

export interface ProgressWatchOptions {
  readonly job: string;
  readonly clock: Clock;
  /** The sources by id, with the progress of those that know it. */
  readonly sources: () => Iterable<readonly [string, SourceProgress | undefined]>;
  readonly report: (event: ProgressEvent) => void;
}

/** The least time between two reports. Milliseconds. */
const interval = 1000;

/**
 * Reports the progress of sources, and publishes it on the channel of metrics: at most once a second, and only what has changed.
 *
 * Call `nudge` when there may be progress. A timer runs only for a nudge that came too early, so an idle job sets none.
 */
export class ProgressWatch {
  readonly #options: ProgressWatchOptions;
  /** What was reported last, as JSON, without the lag, which changes all the time. */
  readonly #reported = new Map<string, string>();
  #timer: Subscription | undefined;
  #last = -Infinity;
  #closed = false;

  constructor(options: ProgressWatchOptions) {
    this.#options = options;
  }

  /** There may be progress. Cheap. */
  nudge(): void {
    if (this.#timer !== undefined || this.#closed) return;
    const { clock } = this.#options;
    const early = this.#last + interval - monotonic(clock);
    if (early <= 0) this.flush();
    else
      this.#timer = clock.after(early, () => {
        this.flush();
      });
  }

  /** Reports what has changed. */
  flush(): void {
    if (this.#closed) return;
    this.#timer?.unsubscribe();
    this.#timer = undefined;
    const { clock, job, sources, report } = this.#options;
    this.#last = monotonic(clock);
    for (const [source, progress] of sources()) {
      if (progress === undefined) continue;
      const key = JSON.stringify({ ...progress, lag: undefined });
      if (this.#reported.get(source) === key) continue;
      this.#reported.set(source, key);
      progressChannel.publish({ job, source, progress } satisfies ProgressMessage);
      report({ type: 'progress', operator: source, ...progress });
      // A handler of events may have stopped the job.
      if (this.#isClosed()) return;
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.unsubscribe();
    const { job } = this.#options;
    for (const source of this.#reported.keys())
      progressChannel.publish({ job, source, progress: undefined } satisfies ProgressMessage);
  }

  /** Reads the state anew: TypeScript assumes that calls do not change it. */
  #isClosed(): boolean {
    return this.#closed;
  }
}
