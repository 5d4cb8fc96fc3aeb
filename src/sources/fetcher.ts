import { Subscription, type Observable } from 'rxjs';
import type { MemoryShare, MemoryUse } from '../flow/index.js';
import { StoreError } from '../store/errors.js';
import type { ObjectBody } from '../store/objectStore.js';
import { FetchedObject, type Head } from './fetchedObject.js';
import {
  smallest,
  type Fragment,
  type FragmentLimits,
  type FragmentState,
  type PlannedObject,
} from './fragmentBudget.js';
import {
  fragmentsOver,
  planFragments,
  stepFragments,
  type FragmentEffect,
  type FragmentEvent,
} from './fragments.js';

export interface FetcherOptions<O extends PlannedObject> {
  readonly limits: FragmentLimits;
  /** The objects are only put in order: their reader fetches them. Default `false`. */
  readonly unread?: boolean;
  /** Requests memory for reading ahead. Default: as much as the limits allow. */
  readonly memory?: (use: Omit<MemoryUse, 'who'>) => MemoryShare;
  /** Requests the next object; `answer` is called once, synchronously or later. */
  readonly nextObject: (answer: (object: O | undefined) => void) => void;
  readonly get: (fragment: Fragment<O>) => Observable<ObjectBody>;
  /** There may be more to read. Also called while the fetcher is being read from. */
  readonly ready: () => void;
  readonly fail: (error: unknown, object: O) => void;
}

/**
 * Carries out the plan of `fragments.ts`: one request per fragment, the chunks of each object returned in order, uncopied. A
 * fragment counts against the budget until the chunk after its last is requested.
 *
 * Stores may answer synchronously, so events are queued and handled one after the other.
 */
export class Fetcher<O extends PlannedObject> {
  readonly #options: FetcherOptions<O>;
  readonly #requests = new Map<number, Subscription>();
  readonly #bodies = new Map<number, ObjectBody>();
  #state: FragmentState<O>;
  #events: FragmentEvent<O>[] = [];
  #stepping = false;
  readonly #share: MemoryShare | undefined;
  /** What all lanes together may fetch however much is held after them. Bytes. */
  readonly #least: number;
  /** What is held of the chunks that were read, rounded up. */
  #after = 0;

  constructor(options: FetcherOptions<O>) {
    this.#options = options;
    const { window, fragment, objects = 1 } = options.limits;
    this.#least = objects * Math.min(fragment, smallest);
    this.#state = planFragments(options.limits);
    const changed = (): void => {
      this.#limit();
    };
    // Those that are consumed, and a fragment more, for what is made of those that were read.
    this.#share = options.memory?.({
      least: Math.max(fragment, this.#least),
      most: (window + objects + 1) * fragment,
      changed,
    });
    this.#limit();
  }

  start(): void {
    this.#step({ type: 'start' });
  }

  /**
   * The object to open after the first `opened` ones; `undefined` while it is unknown, or neither its first fragment nor
   * that of one that may be opened after it has arrived, or as many as may be are open.
   */
  next(opened: number): O | undefined {
    const { plans, limits } = this.#state;
    const free = plans.slice(opened, limits.objects ?? 1);
    return free.some(({ queue }) => queue[0]?.here === true) ? free[0]?.object : undefined;
  }

  /** The next fragment to read of an object that is or may be open, while it is in flight. */
  get awaited(): Fragment<O> | undefined {
    const { plans, limits } = this.#state;
    for (const { queue } of plans.slice(0, limits.objects ?? 1))
      if (queue[0]?.here === false) return queue[0].fragment;
    return undefined;
  }

  /** Opens an object that `next` has returned. */
  open(object: O): FetchedObject {
    return new FetchedObject(
      () => this.#headOf(object),
      () => {
        this.#consumed(object);
      },
    );
  }

  /** No object is left. */
  get over(): boolean {
    return fragmentsOver(this.#state);
  }

  /** Bytes of all fragments that are in flight, waiting or being consumed. */
  get held(): number {
    return this.#state.held;
  }

  /** Bytes that the reader holds of what it has read: so much less is read ahead. Cheap, as it counts in coarse steps. */
  alsoHeld(bytes: number): void {
    const step = Math.ceil(this.#options.limits.fragment / 16);
    const after = Math.ceil(bytes / step) * step;
    if (after === this.#after) return;
    this.#after = after;
    this.#limit();
  }

  /** Drops an object: all that is fetched or being fetched of it, and its lane. */
  drop(object: O): void {
    for (const { fragment } of this.#planOf(object)?.queue ?? []) this.#bodies.delete(fragment.id);
    this.#step({ type: 'dropped', object });
    this.#share?.holds(this.held + this.#after);
  }

  /** Aborts requests and drops fragments. */
  close(): void {
    this.#step({ type: 'close' });
    this.#bodies.clear();
    this.#share?.leave();
  }

  #headOf(object: O): Head | undefined {
    const head = this.#planOf(object)?.queue[0];
    if (head?.here !== true) return undefined;
    const { id, end } = head.fragment;
    const body = this.#bodies.get(id);
    return { chunks: body?.chunks ?? [], content: body?.info.content, last: end >= object.size };
  }

  #planOf(object: O): FragmentState<O>['plans'][number] | undefined {
    return this.#state.plans.find((plan) => plan.object === object);
  }

  #consumed(object: O): void {
    const head = this.#planOf(object)?.queue[0];
    if (head === undefined) return;
    this.#bodies.delete(head.fragment.id);
    this.#step({ type: 'consumed', object });
    this.#share?.holds(this.held + this.#after);
  }

  #limit(): void {
    if (this.#share === undefined) return;
    const { limit } = this.#share;
    this.#step({ type: 'memory', limit: Math.max(Math.min(limit, this.#least), limit - this.#after) });
    this.#share.holds(this.held + this.#after);
  }

  #step(event: FragmentEvent<O>): void {
    this.#events.push(event);
    if (this.#stepping) return;
    this.#stepping = true;
    for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) {
      const { state, effects } = stepFragments(this.#state, next);
      this.#state = state;
      for (const effect of effects) this.#carryOut(effect);
    }
    this.#stepping = false;
  }

  #carryOut(effect: FragmentEffect<O>): void {
    switch (effect.type) {
      case 'nextObject':
        this.#options.nextObject((object) => {
          const cut = this.#options.unread === true ? { from: object?.size ?? 0 } : {};
          this.#step(object === undefined ? { type: 'noMoreObjects' } : { type: 'object', object, ...cut });
          this.#options.ready();
        });
        return;
      case 'get':
        this.#get(effect.fragment);
        return;
      case 'abort':
        this.#requests.get(effect.id)?.unsubscribe();
        this.#requests.delete(effect.id);
    }
  }

  #get(fragment: Fragment<O>): void {
    const request = new Subscription();
    this.#requests.set(fragment.id, request);
    request.add(
      this.#options.get(fragment).subscribe({
        next: (body) => {
          this.#requests.delete(fragment.id);
          if (this.#state.closed) return;
          const bytes = body.chunks.reduce((sum, chunk) => sum + chunk.length, 0);
          if (bytes !== fragment.end - fragment.start) {
            this.#options.fail(shortRead(fragment, bytes), fragment.object);
            return;
          }
          this.#bodies.set(fragment.id, body);
          this.#step({ type: 'arrived', id: fragment.id });
          this.#options.ready();
        },
        error: (error: unknown) => {
          this.#requests.delete(fragment.id);
          if (!this.#state.closed) this.#options.fail(error, fragment.object);
        },
      }),
    );
  }
}

const shortRead = ({ object, start, end }: Fragment<PlannedObject>, bytes: number): StoreError =>
  new StoreError(
    'Integrity',
    `The store returned ${bytes} bytes of ${object.key} instead of ${end - start} from byte ${start}. Try again.`,
  );
