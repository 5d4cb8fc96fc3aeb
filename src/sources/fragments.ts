/**
 * Which ranges of which objects are fetched when: the plan behind every read, as a pure `step(state, event)`.
 *
 * Objects come one by one in their order and are cut into fragments; fragments are fetched ahead of the reader, several
 * at a time, and consumed in order. One budget of `window` × `fragment` bytes covers everything that is being fetched,
 * waits, or is being consumed, over all objects of the source: a fragment counts by its size, so many small objects are
 * read ahead just as one large one is, and prefetch reaches into the next objects before the current one is over.
 *
 * 1. The planner asks for an object (`nextObject`) whenever it has nothing left to cut and room to fetch.
 * 2. It starts fragments (`get`) in order, as long as the budget holds them. At first it runs two fragments ahead, and
 *    each fragment that is consumed doubles that, up to the window: one short read does not pull a whole window.
 * 3. `arrived` marks a fragment; the driver hands out the head's chunks when the head has arrived.
 * 4. `consumed` drops the head and frees its bytes.
 * 5. `close` aborts every fragment under way (`abort`), and from then on no event has an effect.
 *
 * A failed fragment fails the source: retries are the store decorator's.
 */

export interface FragmentLimits {
  /** Fragments ahead, the one being consumed included. At least 1. */
  readonly window: number;
  /** Bytes of a fragment. At least 1. */
  readonly fragment: number;
  /** Requests under way at once. Default: what the window allows. */
  readonly requests?: number;
}

/** An object to be read, from byte `from` (as stored) to its end, in the version that `etag` names. */
export interface PlannedObject {
  readonly key: string;
  readonly size: number;
  readonly etag: string;
  readonly from: number;
}

/** A range of an object: bytes `start` to `end`, end exclusive. Empty ones need no request. */
export interface Fragment<O extends PlannedObject> {
  readonly id: number;
  readonly object: O;
  readonly start: number;
  readonly end: number;
}

export type FragmentEvent<O extends PlannedObject> =
  | { readonly type: 'start' }
  | { readonly type: 'object'; readonly object: O }
  | { readonly type: 'noMoreObjects' }
  | { readonly type: 'arrived'; readonly id: number }
  | { readonly type: 'consumed' }
  | { readonly type: 'close' };

export type FragmentEffect<O extends PlannedObject> =
  | { readonly type: 'nextObject' }
  | { readonly type: 'get'; readonly fragment: Fragment<O> }
  | { readonly type: 'abort'; readonly id: number };

export interface FragmentState<O extends PlannedObject> {
  readonly limits: FragmentLimits;
  /** Started and not consumed, in order. */
  readonly queue: readonly { readonly fragment: Fragment<O>; readonly here: boolean }[];
  /** Bytes of all in `queue`. */
  readonly held: number;
  /** How many fragments ahead are allowed by now. */
  readonly ahead: number;
  /** The object that is being cut, and where its next fragment starts. */
  readonly cutting: { readonly object: O; readonly next: number } | undefined;
  readonly objects: 'idle' | 'asked' | 'over';
  readonly nextId: number;
  readonly closed: boolean;
}

/** Requests under way at most, per fragment of the window: small objects are worth more of them. */
const requestsPerFragment = 2;
/** Fragments held at most, per fragment of the window: what is tiny has a cost of its own. */
const heldPerFragment = 16;

export function planFragments<O extends PlannedObject>(limits: FragmentLimits): FragmentState<O> {
  return {
    limits,
    queue: [],
    held: 0,
    ahead: Math.min(2, limits.window),
    cutting: undefined,
    objects: 'idle',
    nextId: 0,
    closed: false,
  };
}

/** One step of the plan. */
export function stepFragments<O extends PlannedObject>(
  state: FragmentState<O>,
  event: FragmentEvent<O>,
): { readonly state: FragmentState<O>; readonly effects: readonly FragmentEffect<O>[] } {
  if (state.closed) return { state, effects: [] };
  switch (event.type) {
    case 'start':
      return proceed(state);
    case 'object':
      return proceed({
        ...state,
        objects: 'idle',
        cutting: { object: event.object, next: event.object.from },
      });
    case 'noMoreObjects':
      return proceed({ ...state, objects: 'over' });
    case 'arrived':
      return proceed({
        ...state,
        queue: state.queue.map((entry) =>
          entry.fragment.id === event.id ? { ...entry, here: true } : entry,
        ),
      });
    case 'consumed': {
      const [head, ...queue] = state.queue;
      if (head === undefined) return { state, effects: [] };
      const held = state.held - sizeOf(head.fragment);
      return proceed({ ...state, queue, held, ahead: Math.min(state.ahead * 2, state.limits.window) });
    }
    case 'close':
      return {
        state: { ...state, queue: [], held: 0, cutting: undefined, closed: true },
        effects: state.queue
          .filter((entry) => !entry.here)
          .map(({ fragment }) => ({ type: 'abort', id: fragment.id })),
      };
  }
}

/** Starts all that fits. */
function proceed<O extends PlannedObject>(
  state: FragmentState<O>,
): { readonly state: FragmentState<O>; readonly effects: readonly FragmentEffect<O>[] } {
  const { limits, ahead } = state;
  const effects: FragmentEffect<O>[] = [];
  const queue = [...state.queue];
  let { held, cutting, objects, nextId } = state;
  let requests = queue.reduce((sum, entry) => sum + (entry.here ? 0 : 1), 0);
  const room = (bytes: number): boolean =>
    queue.length === 0 ||
    (held + bytes <= ahead * limits.fragment &&
      requests < (limits.requests ?? ahead * requestsPerFragment) &&
      queue.length < ahead * heldPerFragment);

  while (cutting !== undefined) {
    const { object, next } = cutting;
    const end = Math.min(next + limits.fragment, object.size);
    if (!room(end - next)) break;
    const fragment: Fragment<O> = { id: nextId++, object, start: next, end };
    const here = end <= next;
    queue.push({ fragment, here });
    if (!here) {
      held += end - next;
      requests++;
      effects.push({ type: 'get', fragment });
    }
    cutting = end < object.size ? { object, next: end } : undefined;
  }
  if (cutting === undefined && objects === 'idle' && room(1)) {
    objects = 'asked';
    effects.push({ type: 'nextObject' });
  }
  return { state: { ...state, queue, held, cutting, objects, nextId }, effects };
}

/** Whether nothing is left and nothing will come. */
export function fragmentsOver<O extends PlannedObject>(state: FragmentState<O>): boolean {
  return state.objects === 'over' && state.cutting === undefined && state.queue.length === 0;
}

function sizeOf<O extends PlannedObject>({ start, end }: Fragment<O>): number {
  return Math.max(0, end - start);
}
