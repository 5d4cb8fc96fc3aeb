/**
 * Plans which ranges of which objects are fetched when, as a pure `step(state, event)`.
 *
 * Objects come one by one in their order and are cut into fragments; fragments are fetched ahead of the reader, several
 * at a time, and consumed in order. All objects of the source share one budget of `window` × `fragment` bytes, for
 * fragments that are being fetched and those that have arrived. A fragment counts with its bytes. Therefore small objects
 * are read ahead like one large one, and the next objects are prefetched before the current one is over. The fragment that
 * is being consumed does not count, so that connections are not idle meanwhile.
 *
 * 1. The planner asks for an object (`nextObject`) whenever it has nothing left to cut and room to fetch.
 * 2. It starts fragments (`get`) in order, as long as they fit into the budget and the memory (`memory`). The first ones
 *    grow: 1/w of a fragment, 2/w, … up to a whole one (`w` is the window), though each counts as a whole one. So the
 *    first records come early, and the fragments of a window do not all arrive together, which would leave the
 *    connections idle while the reader consumes a window. Nothing keeps them apart later on.
 * 3. `arrived` marks a fragment; the driver hands out the head's chunks when the head has arrived.
 * 4. `consumed` drops the head and frees its bytes.
 * 5. `dropped` removes every fragment of an object that cannot be read, and cuts no more of it.
 * 6. `close` aborts every fragment in flight (`abort`), and from then on no event has an effect.
 *
 * A failed fragment fails the source, unless its object is dropped: the store's decorators retry requests.
 */

export interface FragmentLimits {
  /** Fragments ahead of the one that is being consumed. At least 1. */
  readonly window: number;
  /** Bytes of a fragment. At least 1. */
  readonly fragment: number;
  /** Concurrent requests. Default: as many as the window allows. */
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
  /** Bytes that it counts in the budget. */
  readonly counts: number;
}

export type FragmentEvent<O extends PlannedObject> =
  | { readonly type: 'start' }
  /** `from`: where to start cutting it. Default: where it is read from. */
  | { readonly type: 'object'; readonly object: O; readonly from?: number }
  | { readonly type: 'noMoreObjects' }
  | { readonly type: 'arrived'; readonly id: number }
  | { readonly type: 'consumed' }
  | { readonly type: 'dropped'; readonly object: O }
  /** Bytes that it may hold. */
  | { readonly type: 'memory'; readonly limit: number }
  | { readonly type: 'close' };

export type FragmentEffect<O extends PlannedObject> =
  | { readonly type: 'nextObject' }
  | { readonly type: 'get'; readonly fragment: Fragment<O> }
  | { readonly type: 'abort'; readonly id: number };

export interface FragmentState<O extends PlannedObject> {
  readonly limits: FragmentLimits;
  /** Started and not consumed, in order. */
  readonly queue: readonly { readonly fragment: Fragment<O>; readonly here: boolean }[];
  /** The sum of `counts` in `queue`. */
  readonly held: number;
  /** The limit of `held`. */
  readonly memory: number;
  /** The object that is being cut, and where its next fragment starts. */
  readonly cutting: { readonly object: O; readonly next: number } | undefined;
  readonly objects: 'idle' | 'asked' | 'over';
  readonly nextId: number;
  readonly closed: boolean;
}

/** The maximum number of requests in flight per fragment of the window: more than one, for small objects. */
const requestsPerFragment = 2;
/** The maximum number of fragments held per fragment of the window, because tiny ones have overhead. */
const heldPerFragment = 16;

export function planFragments<O extends PlannedObject>(limits: FragmentLimits): FragmentState<O> {
  return {
    limits,
    queue: [],
    held: 0,
    memory: Infinity,
    cutting: undefined,
    objects: 'idle',
    nextId: 0,
    closed: false,
  };
}

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
        cutting: { object: event.object, next: event.from ?? event.object.from },
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
      return proceed({ ...state, queue, held: state.held - head.fragment.counts });
    }
    case 'dropped': {
      const dropped = state.queue.filter(({ fragment }) => fragment.object === event.object);
      const { state: next, effects } = proceed({
        ...state,
        queue: state.queue.filter(({ fragment }) => fragment.object !== event.object),
        held: state.held - dropped.reduce((sum, { fragment }) => sum + fragment.counts, 0),
        cutting: state.cutting?.object === event.object ? undefined : state.cutting,
      });
      return { state: next, effects: [...aborts(dropped), ...effects] };
    }
    case 'memory':
      return proceed({ ...state, memory: event.limit });
    case 'close':
      return {
        state: { ...state, queue: [], held: 0, cutting: undefined, closed: true },
        effects: aborts(state.queue),
      };
  }
}

function aborts<O extends PlannedObject>(queue: FragmentState<O>['queue']): FragmentEffect<O>[] {
  return queue.flatMap(({ fragment, here }) => (here ? [] : [{ type: 'abort', id: fragment.id }]));
}

/** Starts all fragments that fit. */
function proceed<O extends PlannedObject>(
  state: FragmentState<O>,
): { readonly state: FragmentState<O>; readonly effects: readonly FragmentEffect<O>[] } {
  const { limits } = state;
  const { window } = limits;
  const effects: FragmentEffect<O>[] = [];
  const queue = [...state.queue];
  let { held, cutting, objects, nextId } = state;
  let requests = queue.reduce((sum, entry) => sum + (entry.here ? 0 : 1), 0);
  const consumed = queue[0]?.here === true ? queue[0].fragment.counts : 0;
  const room = (bytes: number): boolean =>
    held + bytes <= state.memory &&
    (queue.length === 0 ||
      (held - consumed + bytes <= window * limits.fragment &&
        requests < (limits.requests ?? window * requestsPerFragment) &&
        queue.length < window * heldPerFragment));

  while (cutting !== undefined) {
    const { object, next } = cutting;
    const whole = Math.max(0, Math.min(limits.fragment, object.size - next));
    // What has to be read next is read in smaller pieces if there is no memory for a whole one.
    const counts = queue.length === 0 ? Math.min(whole, Math.max(1, state.memory)) : whole;
    if (!room(counts)) break;
    const size = Math.min(counts, Math.ceil((limits.fragment * Math.min(nextId + 1, window)) / window));
    const fragment: Fragment<O> = { id: nextId++, object, start: next, end: next + size, counts };
    const here = size === 0;
    queue.push({ fragment, here });
    held += counts;
    if (!here) {
      requests++;
      effects.push({ type: 'get', fragment });
    }
    cutting = next + size < object.size ? { object, next: next + size } : undefined;
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
