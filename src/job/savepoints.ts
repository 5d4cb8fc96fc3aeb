import { type Observable, Subscription } from 'rxjs';
import { newSavepointName, savepointFailed } from '../checkpoint/index.js';
import { MillraceError } from '../errors.js';
import { hideUserInfo } from '../path/index.js';
import type { Clock } from '../flow/index.js';

/** A savepoint that a caller has asked for. */
export interface SavepointRequest {
  /** The URI of its folder, as given. */
  readonly uri: string;
  /** Whether the job stops at it. */
  readonly stop: boolean;
}

interface Queued extends SavepointRequest {
  readonly resolve: (uri: string) => void;
  readonly reject: (error: unknown) => void;
}

/** Sends the barrier on subscribe; completes once the savepoint is complete. */
type Make = (request: SavepointRequest) => Observable<never>;

/**
 * The savepoints asked of a run, made one after another by the attempt that runs. Those that no attempt has begun wait
 * for the next one; the current one fails with its attempt.
 */
export class SavepointQueue {
  readonly #job: string;
  readonly #clock: Clock;
  readonly #random: () => number;
  #waiting: Queued[] = [];
  #current: Queued | undefined;
  #make: Make | undefined;
  #making = Subscription.EMPTY;
  #open = false;

  constructor(job: string, clock: Clock, random: () => number) {
    this.#job = job;
    this.#clock = clock;
    this.#random = random;
  }

  /**
   * Resolves with the URI of the savepoint's folder, once it is complete.
   *
   * @param dir the URI of the directory in which the folder is made
   */
  request(dir: string, stop: boolean): Promise<string> {
    if (!this.#open) return Promise.reject(notRunning(this.#job));
    return new Promise((resolve, reject) => {
      const name = newSavepointName(this.#job, this.#clock, this.#random);
      const uri = `${dir.replace(/\/+$/, '')}/${name}`;
      this.#waiting.push({ uri, stop, resolve, reject });
      this.#next();
    });
  }

  /** A run begins. */
  open(): void {
    this.#open = true;
  }

  /** An attempt runs. Its savepoint fails if the subscription ends. */
  serve(make: Make): Subscription {
    this.#make = make;
    this.#next();
    return new Subscription(() => {
      this.#make = undefined;
      this.#making.unsubscribe();
      const current = this.#current;
      this.#current = undefined;
      current?.reject(
        savepointFailed(hideUserInfo(current.uri), new Error('The attempt that made it has ended.')),
      );
    });
  }

  /** The run is over. */
  close(): void {
    this.#open = false;
    for (const { reject } of this.#waiting.splice(0)) reject(notRunning(this.#job));
  }

  #next(): void {
    if (this.#make === undefined || this.#current !== undefined) return;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    this.#current = next;
    const over = (): void => {
      this.#current = undefined;
      // Later, as the attempt is still in the step that ended this one.
      this.#clock.yield(() => {
        this.#next();
      });
    };
    this.#making = this.#make(next).subscribe({
      error: (error: unknown) => {
        next.reject(error);
        over();
      },
      complete: () => {
        next.resolve(next.uri);
        over();
      },
    });
  }
}

const notRunning = (job: string): MillraceError =>
  new MillraceError(
    'NotRunning',
    `Job '${job}' is not running, so it cannot make a savepoint. Call job.savepoint(…) after job.run(…), and before it ends.`,
  );
