/**
 * The plan of a seekable reader: which ranges of an object to request and to keep, as a pure `step(state, event, room)`.
 *
 * A *want* is a pending read; a *piece* is a requested range, in flight or arrived.
 *
 * 1. `read` adds a want. If it starts where the last one ended (or within a read buffer after it), it is sequential, and the
 *    reader fetches as far ahead as it has been read sequentially so far, up to the window. Otherwise it is random:
 *    read-ahead stops, and pieces that no want needs are dropped.
 * 2. Every want's next byte is in some piece. If not, one is requested on demand: the wanted bytes, at least a read buffer and
 *    at most a fragment. Everything else is requested ahead, in order, and only into `room`.
 * 3. `arrived`: wants take the arrived bytes in order; pieces before every want are dropped.
 * 4. `failed`: a want whose next byte was in the piece fails with it. Otherwise the piece is dropped, and nothing from there
 *    on is fetched ahead until a read reaches it.
 * 5. If memory has to be given back (`room.ahead` below zero), pieces are dropped, the farthest first, but never one with a
 *    want's next byte, since those are about to be delivered.
 * 6. `close` drops everything; later events have no effect.
 */

export interface ReaderLimits {
  /** The request size of a small random read. Bytes, at least 1. */
  readonly buffer: number;
  /** The maximum size of a request. Bytes, at least 1. */
  readonly fragment: number;
  /** The maximum read-ahead, in fragments, and number of pieces. Requests on demand are not limited by it. */
  readonly window: number;
}

/** The memory a reader may use, in bytes. */
export interface Room {
  /** Bytes that may be requested ahead; below zero: bytes to give back. */
  readonly ahead: number;
  /** An equal share among the active readers. No request is larger. */
  readonly share: number;
}

/** Bytes `start` to `end`, end exclusive, never empty. */
export interface Piece {
  readonly id: number;
  readonly start: number;
  readonly end: number;
  readonly here: boolean;
}

export interface Want {
  readonly id: number;
  readonly start: number;
  readonly end: number;
  /** The next byte to deliver. */
  readonly at: number;
  /** Satisfied by the first bytes that arrive. */
  readonly some: boolean;
}

export type ReaderEvent =
  /** Bytes `start` to `end`, not empty and within the bounds; with `some`, only the first bytes that arrive. */
  | {
      readonly type: 'read';
      readonly id: number;
      readonly start: number;
      readonly end: number;
      readonly some: boolean;
    }
  | { readonly type: 'cancel'; readonly id: number }
  | { readonly type: 'arrived'; readonly piece: number }
  | { readonly type: 'failed'; readonly piece: number }
  /** There was no room left for a piece. */
  | { readonly type: 'refused'; readonly piece: number }
  /** The room has changed. */
  | { readonly type: 'squeeze' }
  | { readonly type: 'close' };

export type ReaderEffect =
  /** `ahead`: there is room for it. Otherwise it waits for its memory. */
  | { readonly type: 'get'; readonly piece: Piece; readonly ahead: boolean }
  /** The piece, in flight or arrived, is no longer needed. */
  | { readonly type: 'drop'; readonly piece: Piece }
  | {
      readonly type: 'deliver';
      readonly want: number;
      readonly piece: Piece;
      readonly start: number;
      readonly end: number;
      readonly last: boolean;
    }
  | { readonly type: 'fail'; readonly want: number; readonly piece: Piece };

export interface ReaderState {
  readonly limits: ReaderLimits;
  /** The end of what may be requested: the object's size, or the end of the range. */
  readonly bound: number;
  /** In the order of the reads. */
  readonly wants: readonly Want[];
  /** Disjoint, in the order of the object. */
  readonly pieces: readonly Piece[];
  /** The start of the next sequential read. */
  readonly expected: number;
  /** Bytes read sequentially before the last read. */
  readonly run: number;
  /** Bytes of the last read. */
  readonly last: number;
  /** Nothing is fetched ahead from here on, after a failure. */
  readonly barrier: number;
  readonly nextId: number;
  readonly closed: boolean;
}

export interface ReaderStep {
  readonly state: ReaderState;
  readonly effects: readonly ReaderEffect[];
}

/** A reader at byte `from`; `sequential` if it is known to read to the end. */
export function planReader(
  limits: ReaderLimits,
  { bound, from = 0, sequential = false }: { bound: number; from?: number; sequential?: boolean },
): ReaderState {
  const run = sequential ? 2 * limits.fragment : 0;
  const nothing = { wants: [], pieces: [], barrier: Infinity, nextId: 0, closed: false };
  return { limits, bound, expected: from, run, last: 0, ...nothing };
}

/** One step of the plan. */
export function stepReader(state: ReaderState, event: ReaderEvent, room: Room): ReaderStep {
  if (state.closed) return { state, effects: [] };
  switch (event.type) {
    case 'read':
      return proceed(wanting(state, event), room);
    case 'cancel':
      return proceed({ ...state, wants: state.wants.filter(({ id }) => id !== event.id) }, room);
    case 'arrived': {
      const pieces = state.pieces.map((piece) =>
        piece.id === event.piece ? { ...piece, here: true } : piece,
      );
      const arrived = pieces.find(({ id }) => id === event.piece);
      const passed = arrived !== undefined && arrived.end > state.barrier;
      return proceed({ ...state, pieces, barrier: passed ? Infinity : state.barrier }, room);
    }
    case 'failed':
      return failed(state, event.piece, room);
    case 'refused':
      return proceed({ ...state, pieces: state.pieces.filter(({ id }) => id !== event.piece) }, room);
    case 'squeeze':
      return proceed(state, room);
    case 'close':
      return {
        state: { ...state, wants: [], pieces: [], closed: true },
        effects: state.pieces.map((piece) => ({ type: 'drop', piece })),
      };
  }
}

function wanting(state: ReaderState, read: ReaderEvent & { type: 'read' }): ReaderState {
  const { id, start, end, some } = read;
  const { expected, limits, wants } = state;
  const sequential = start >= expected && start <= expected + limits.buffer;
  return {
    ...state,
    wants: [...wants, { id, start, end, at: start, some }],
    // A read of `some` bytes moves by those it gets.
    expected: some ? start : end,
    run: sequential ? state.run + state.last : 0,
    last: some ? 0 : end - start,
    barrier: sequential ? state.barrier : Infinity,
  };
}

function failed(state: ReaderState, id: number, room: Room): ReaderStep {
  const piece = state.pieces.find((each) => each.id === id);
  if (piece === undefined) return { state, effects: [] };
  const victims = state.wants.filter(({ at }) => holds(piece, at));
  const rest = proceed(
    {
      ...state,
      pieces: state.pieces.filter((each) => each !== piece),
      wants: state.wants.filter((want) => !victims.includes(want)),
      barrier: Math.min(state.barrier, piece.start),
    },
    room,
  );
  return {
    state: rest.state,
    effects: [
      ...victims.map((want): ReaderEffect => ({ type: 'fail', want: want.id, piece })),
      { type: 'drop', piece },
      ...rest.effects,
    ],
  };
}

/** Delivers arrived bytes, drops unneeded pieces, and requests missing ones. */
function proceed(state: ReaderState, room: Room): ReaderStep {
  const effects: ReaderEffect[] = [];
  const delivered = deliver(state, effects);
  const kept = drop(delivered, room, effects);
  const freed = sum(delivered.pieces) - sum(kept.pieces);
  const ahead = room.ahead < 0 ? 0 : room.ahead + freed;
  return { state: ask(kept, { ...room, ahead }, effects), effects };
}

function deliver(state: ReaderState, effects: ReaderEffect[]): ReaderState {
  let { expected, run } = state;
  const wants: Want[] = [];
  for (const want of state.wants) {
    let at = want.at;
    for (const piece of state.pieces) {
      if (at === want.end || !piece.here || !holds(piece, at)) continue;
      const end = Math.min(piece.end, want.end);
      const last = want.some || end === want.end;
      effects.push({ type: 'deliver', want: want.id, piece, start: at, end, last });
      if (want.some) {
        // Only if no other read has moved it meanwhile.
        if (expected === want.start) [expected, run] = [end, run + end - at];
        at = want.end;
      } else at = end;
    }
    if (at < want.end) wants.push(at === want.at ? want : { ...want, at });
  }
  return { ...state, wants, expected, run };
}

/** Drops pieces that neither a want nor the next sequential read needs, and more under memory pressure. */
function drop(state: ReaderState, room: Room, effects: ReaderEffect[]): ReaderState {
  const { wants, expected, limits } = state;
  const ahead = Math.max(limits.buffer, aheadOf(state));
  let pieces = state.pieces.filter((piece) => {
    const needed =
      wants.some(({ at, end, some }) => (some ? holds(piece, at) : piece.start < end && piece.end > at)) ||
      (piece.start < expected + ahead && piece.end > expected);
    if (!needed) effects.push({ type: 'drop', piece });
    return needed;
  });
  let missing = -room.ahead - (sum(state.pieces) - sum(pieces));
  if (missing <= 0) return { ...state, pieces };
  const spare = pieces
    .filter((piece) => !wants.some(({ at }) => holds(piece, at)))
    .sort((a, b) => Math.abs(b.start - expected) - Math.abs(a.start - expected));
  for (const piece of spare) {
    if (missing <= 0) break;
    missing -= piece.end - piece.start;
    pieces = pieces.filter((each) => each !== piece);
    effects.push({ type: 'drop', piece });
  }
  return { ...state, pieces };
}

function ask(state: ReaderState, room: Room, effects: ReaderEffect[]): ReaderState {
  const { limits, wants, bound, expected, barrier } = state;
  const most = Math.max(1, Math.min(limits.fragment, room.share));
  const ahead = aheadOf(state);
  const chunk = Math.min(most, Math.max(limits.buffer, Math.floor(ahead / 2)));
  const pieces = [...state.pieces];
  let { nextId } = state;
  let left = room.ahead;
  const get = (start: number, end: number, isAhead: boolean): number => {
    const next = pieces.find((each) => each.start >= start);
    const piece = { id: nextId++, start, end: Math.min(end, next?.start ?? Infinity), here: false };
    pieces.splice(next === undefined ? pieces.length : pieces.indexOf(next), 0, piece);
    effects.push({ type: 'get', piece, ahead: isAhead });
    return piece.end;
  };
  /** Requests the gaps between `start` and `end`, each up to `over`. Returns whether it reached the end. */
  const cover = (start: number, end: number, over: (at: number) => number): boolean => {
    for (let at = start; at < end;) {
      const there = pieces.find((piece) => holds(piece, at));
      if (there !== undefined) {
        at = there.end;
        continue;
      }
      const to = over(at);
      if (to <= at || at >= barrier || to - at > left || pieces.length >= limits.window) return false;
      const got = get(at, to, true);
      left -= got - at;
      at = got;
    }
    return true;
  };

  for (const { at, start, end } of wants) {
    if (pieces.some((piece) => holds(piece, at))) continue;
    // A short read requests at least a buffer; a sequential one, at least a chunk of read-ahead.
    const least = Math.max(start + limits.buffer, ahead > 0 ? at + chunk : 0);
    left -= get(at, Math.min(at + most, Math.max(end, least), bound), false) - at;
  }
  const rest = (end: number) => (at: number) => Math.min(at + most, end);
  // Read ahead in whole chunks, or small reads would cause small requests.
  const whole = (at: number): number =>
    at + chunk <= expected + ahead || bound <= expected + ahead ? Math.min(at + chunk, bound) : at;
  if (wants.every(({ at, end, some }) => some || cover(at, end, rest(end))))
    cover(expected, Math.min(expected + ahead, bound), whole);
  return { ...state, pieces, nextId };
}

const aheadOf = ({ run, limits }: ReaderState): number => Math.min(run, limits.window * limits.fragment);

const holds = ({ start, end }: Piece, at: number): boolean => start <= at && at < end;

const sum = (pieces: readonly Piece[]): number =>
  pieces.reduce((bytes, { start, end }) => bytes + end - start, 0);
