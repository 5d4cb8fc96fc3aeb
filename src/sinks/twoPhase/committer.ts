import type { Attempt, Committable } from '../../flow/index.js';
import type { SinkEvent } from '../events.js';
import {
  fromCommittable,
  tailLength,
  toCommittable,
  uriOf,
  type FileCommittable,
} from '../file/committable.js';
import type { Outcome, Publisher } from '../file/publisher.js';
import type { Request } from './request.js';

const completesAtOnce = 16;

/**
 * Has every file published that a durable manifest names, some at a time, and confirms it; `publisher.ts` tells how.
 *
 * A file is named again by every manifest until it is confirmed: what is under way or done is left alone. A file that had
 * no upload is amended first, and waits for a manifest that names the upload it was given.
 */
export class Committer {
  /** By uid: under way, done, or waiting for a manifest that names this upload. */
  readonly #states = new Map<string, 'running' | 'done' | { readonly amended: string }>();
  #queue: FileCommittable[] = [];
  #running = 0;
  #tailBytes = 0;

  constructor(
    private readonly id: string,
    private readonly attempt: Attempt,
    private readonly publisher: Publisher,
    private readonly request: Request,
    /** Tails in memory at once; one is always allowed. Bytes. */
    private readonly tailBudget: number,
  ) {}

  /** A durable manifest has these pending. */
  commit(pending: readonly Committable[]): void {
    const named = new Set<string>();
    for (const each of pending) {
      named.add(each.uid);
      const state = this.#states.get(each.uid);
      if (state === 'running' || state === 'done') continue;
      const file = fromCommittable(each);
      if (state !== undefined && state.amended !== file.uploadId) continue;
      this.#states.set(file.uid, 'running');
      this.#queue.push(file);
    }
    for (const [uid, state] of this.#states)
      if (state === 'done' && !named.has(uid)) this.#states.delete(uid);
    this.#pump();
  }

  #pump(): void {
    let next = 0;
    for (; next < this.#queue.length && this.#running < completesAtOnce; next++) {
      const file = this.#queue[next];
      if (file === undefined) break;
      const tail = tailLength(file.tail);
      if (tail > 0 && this.#tailBytes > 0 && this.#tailBytes + tail > this.tailBudget) break;
      this.#running++;
      this.#tailBytes += tail;
      this.request(this.publisher.publish(file), (outcome) => {
        this.#running--;
        this.#tailBytes -= tail;
        this.#finish(file, outcome);
        this.#pump();
      });
    }
    if (next > 0) this.#queue = this.#queue.slice(next);
  }

  #finish(file: FileCommittable, outcome: Outcome): void {
    const { uid, size: bytes, records } = file;
    if (typeof outcome === 'object') {
      this.#states.set(uid, { amended: outcome.amended.uploadId ?? '' });
      this.attempt.amend(this.id, toCommittable(outcome.amended));
      return;
    }
    this.#states.set(uid, 'done');
    const type = outcome === 'published' ? 'committed' : 'missing-committed';
    this.attempt.report({ type, operator: this.id, uri: uriOf(file), bytes, records } satisfies SinkEvent);
    this.attempt.confirm(this.id, uid);
  }
}
