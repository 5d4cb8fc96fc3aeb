import type { Attempt, Committable } from '../../flow/index.js';
import type { SinkEvent } from '../events.js';
import { decodeCommittable, encodeCommittable } from './committables.js';
import { Groups } from './groups.js';
import type { PublishOutcome, Request, TwoPhaseKind } from './kind.js';

interface Queued<C> {
  readonly uid: string;
  readonly committable: C;
}

/**
 * Publishes everything that a durable manifest names, as its kind defines, and confirms it.
 *
 * Every manifest names a committable until it is confirmed: one that is in progress or done is ignored. One that
 * was amended waits for a manifest with its new version. One that is published and belongs to a group is confirmed with it.
 */
export class Committer<C> {
  /** By uid: in progress, done, or the version that a manifest must name first. */
  readonly #states = new Map<string, 'running' | 'done' | { readonly amended: string }>();
  readonly #groups: Groups<C> | undefined;
  /** The last version that was amended. */
  #lastAmended: Committable | undefined;
  #queue: Queued<C>[] = [];
  #running = 0;
  /** The number of committables that wait for a manifest. */
  #amended = 0;
  #memory = 0;

  constructor(
    private readonly id: string,
    private readonly attempt: Pick<Attempt, 'amend' | 'confirm' | 'report'>,
    private readonly kind: TwoPhaseKind<C>,
    private readonly request: Request,
    /** Whether a lost committable counts as published. */
    private readonly acceptsLost: boolean,
  ) {
    if (kind.groups !== undefined)
      this.#groups = new Groups(kind.groups, request, (uids) => {
        for (const uid of uids) this.#confirm(uid);
        this.#unstick();
      });
  }

  /** A durable manifest has these pending. */
  commit(pending: readonly Committable[]): void {
    const named = new Set<string>();
    for (const each of pending) {
      const { uid } = each;
      named.add(uid);
      const state = this.#states.get(uid);
      if (state === 'running' || state === 'done') continue;
      if (state !== undefined && state.amended !== JSON.stringify(each)) continue;
      const committable = decodeCommittable(this.kind, each);
      this.kind.check?.(committable);
      this.#states.set(uid, 'running');
      if (state === undefined) {
        this.#queue.push({ uid, committable });
        this.#groups?.add(uid, committable);
      } else {
        // It keeps its place in the order: those after it wait.
        this.#amended--;
        this.#queue.unshift({ uid, committable });
      }
    }
    for (const [uid, state] of this.#states)
      if (state === 'done' && !named.has(uid)) this.#states.delete(uid);
    this.#pump();
  }

  #pump(): void {
    const { concurrency, memory } = this.kind;
    if (concurrency === 1 && this.#amended > 0) return;
    let next = 0;
    for (; next < this.#queue.length && this.#running < concurrency; next++) {
      const queued = this.#queue[next];
      if (queued === undefined) break;
      const { uid, committable } = queued;
      const bytes = memory?.of(committable) ?? 0;
      if (bytes > 0 && this.#memory > 0 && this.#memory + bytes > (memory?.budget ?? Infinity)) break;
      this.#running++;
      this.#memory += bytes;
      this.request(this.kind.publish(committable), (outcome) => {
        this.#running--;
        this.#memory -= bytes;
        this.#finish(uid, committable, outcome);
        this.#pump();
        this.#unstick();
      });
    }
    if (next > 0) this.#queue = this.#queue.slice(next);
  }

  #finish(uid: string, committable: C, outcome: PublishOutcome<C>): void {
    switch (outcome.is) {
      case 'mine':
        this.#published(uid, outcome.committable ?? committable, 'committed');
        return;
      case 'notYet': {
        const amended = encodeCommittable(this.kind, outcome.amended);
        this.#states.set(uid, { amended: JSON.stringify(amended) });
        this.#amended++;
        this.#lastAmended = amended;
        this.attempt.amend(this.id, amended, this.kind.concurrency === 1);
        return;
      }
      case 'lost':
        if (!this.acceptsLost) throw outcome.error;
        this.#published(uid, committable, 'missing-committed');
        return;
      case 'foreign':
        throw outcome.error;
    }
  }

  #published(uid: string, committable: C, type: 'committed' | 'missing-committed'): void {
    const event: SinkEvent = { type, operator: this.id, ...this.kind.describe(committable) };
    this.attempt.report(event);
    if (this.#groups === undefined) this.#confirm(uid);
    else this.#groups.published(uid, committable);
  }

  #confirm(uid: string): void {
    this.#states.set(uid, 'done');
    this.attempt.confirm(this.id, uid);
  }

  /**
   * If all that can be published is, and groups wait for what was amended, only the next manifest helps, and it must not wait for
   * the rest of the groups.
   */
  #unstick(): void {
    const isIdle = this.#running === 0 && this.#queue.length === 0;
    if (isIdle && this.#amended > 0 && this.#groups?.waits === true && this.#lastAmended !== undefined)
      this.attempt.amend(this.id, this.#lastAmended, true);
  }
}
