import { Subscription, type Observable } from 'rxjs';
import type { MemoryShare, MemoryUse } from '../flow/index.js';
import { StoreError } from '../store/errors.js';
import type { ContentHeaders, ObjectBody } from '../store/objectStore.js';
import {
  fragmentsOver,
  planFragments,
  stepFragments,
  type Fragment,
  type FragmentEffect,
  type FragmentEvent,
  type FragmentLimits,
  type FragmentState,
  type PlannedObject,
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

/** However much is held after it, so much is fetched at a time, or a fragment if that is less. */
const smallest = 64 * 1024;

/**
 * Carries out the plan of `fragments.ts`: one request per fragment, its chunks returned in order, uncopied. A fragment
 * counts against the budget until the chunk after its last is requested.
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
  #chunk = 0;
  readonly #share: MemoryShare | undefined;
  /** What is held of the chunks that were read, rounded up. */
  #after = 0;

  constructor(options: FetcherOptions<O>) {
    this.#options = options;
    const { window, fragment } = options.limits;
    this.#state = planFragments(options.limits);
    const changed = (): void => {
      this.#limit();
    };
    // A fragment more, for what is made of those that were read.
    this.#share = options.memory?.({ least: fragment, most: (window + 2) * fragment, changed });
    this.#limit();
  }

  start(): void {
    this.#step({ type: 'start' });
  }

  /**
   * The object that comes next, or is being read; `undefined` while it is unknown or its first fragment is in flight.
   */
  get object(): O | undefined {
    const head = this.#state.queue[0];
    return head?.here === true ? head.fragment.object : undefined;
  }

  /** The next fragment to read, while it is in flight. */
  get awaited(): Fragment<O> | undefined {
    const head = this.#state.queue[0];
    return head?.here === false ? head.fragment : undefined;
  }

  /** The content headers of the current object. */
  get content(): ContentHeaders | undefined {
    const head = this.#state.queue[0];
    return head === undefined ? undefined : this.#bodies.get(head.fragment.id)?.info.content;
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

  /** Whether the current object has no chunk left; `next` then continues with the object after it. */
  get atObjectEnd(): boolean {
    const head = this.#state.queue[0];
    if (head?.here !== true || head.fragment.end < head.fragment.object.size) return false;
    return this.#chunk >= (this.#bodies.get(head.fragment.id)?.chunks.length ?? 0);
  }

  /** The current object's next chunk; `wait` while it is in flight; `end` once `atObjectEnd`. */
  read(): Uint8Array | 'wait' | 'end' {
    for (;;) {
      const head = this.#state.queue[0];
      if (head?.here !== true) return 'wait';
      const chunk = this.#bodies.get(head.fragment.id)?.chunks[this.#chunk];
      if (chunk !== undefined) {
        this.#chunk++;
        return chunk;
      }
      if (head.fragment.end >= head.fragment.object.size) return 'end';
      this.#consumed(head.fragment.id);
    }
  }

  /** Leaves the current object, which must be `atObjectEnd`. */
  next(): void {
    const head = this.#state.queue[0];
    if (head !== undefined) this.#consumed(head.fragment.id);
  }

  /** Drops all that is fetched or being fetched of an object. */
  drop(object: O): void {
    const head = this.#state.queue[0]?.fragment;
    this.#step({ type: 'dropped', object });
    if (head !== this.#state.queue[0]?.fragment) this.#chunk = 0;
    const kept = new Set(this.#state.queue.map(({ fragment }) => fragment.id));
    for (const id of this.#bodies.keys()) if (!kept.has(id)) this.#bodies.delete(id);
    this.#share?.holds(this.held + this.#after);
  }

  /** Aborts requests and drops fragments. */
  close(): void {
    this.#step({ type: 'close' });
    this.#bodies.clear();
    this.#share?.leave();
  }

  #consumed(id: number): void {
    this.#chunk = 0;
    this.#bodies.delete(id);
    this.#step({ type: 'consumed' });
    this.#share?.holds(this.held + this.#after);
  }

  #limit(): void {
    if (this.#share === undefined) return;
    const { limit } = this.#share;
    const least = Math.min(limit, this.#options.limits.fragment, smallest);
    this.#step({ type: 'memory', limit: Math.max(least, limit - this.#after) });
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
