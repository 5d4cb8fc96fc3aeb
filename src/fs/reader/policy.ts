/**
 * Which ranges of one object are asked for when, and what is kept: the plan of a seekable reader, as a pure
 * `step(state, event, room)`.
 *
 * A *want* is a read that somebody waits for; a *piece* is a range that was asked for, under way or here.
 *
 * 1. `read` adds a want. One that starts where the last one ended (or within a read buffer behind it) is sequential, and
 *    lets the reader fetch as far ahead as it has been read sequentially so far, up to the window. Any other is random:
 *    fetching ahead stops, and pieces that no want needs are dropped.
 * 2. Every want's next byte is in some piece. Where it is not, one is asked for on demand: the wanted bytes, at least a
 *    read buffer of them and at most a fragment. Everything else is asked for ahead, in order, and only into `room`.
 * 3. `arrived`: wants take what is here, in order; pieces that are behind every want are dropped.
 * 4. `failed`: a want whose next byte was in the piece fails with it. Otherwise the piece is forgotten, and nothing from
 *    there on is fetched ahead until the read itself gets there and asks anew.
 * 5. When another reader lacks memory (`room.ahead` below zero), pieces are dropped, the farthest first, but never one
 *    that holds a want's next byte: those are about to be delivered and free themselves.
 * 6. `close` drops everything; no later event has an effect.
 */

export interface ReaderLimits {
  /** What a small random read asks for. Bytes, at least 1. */
  readonly buffer: number;
  /** What any request asks for at most. Bytes, at least 1. */
  readonly fragment: number;
  /** How far ahead, in fragments, and how many pieces at most; what is demanded is asked for whatever their number. */
  readonly window: number;
}

/** The memory a reader may use, in bytes. */
export interface Room {
  /** More that may be asked for ahead; below zero: that is to be given back. */
  readonly ahead: number;
  /** What is this reader's, if all that are active have the same. No request is larger. */
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
  /** Content with what comes first. */
  readonly some: boolean;
}

export type ReaderEvent =
  /** Bytes `start` to `end`, not empty and within the bounds; with `some`, as many of them as are here first. */
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
  /** There was no room any more for a piece that was asked for ahead. */
  | { readonly type: 'refused'; readonly piece: number }
  /** The room has changed. */
  | { readonly type: 'squeeze' }
  | { readonly type: 'close' };

export type ReaderEffect =
  /** `ahead`: there is room for it. Otherwise it waits for its memory as long as it takes. */
  | { readonly type: 'get'; readonly piece: Piece; readonly ahead: boolean }
  /** Under way or here, it is not needed any more. */
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
  /** No byte from here on is asked for: the object's size, or the end of the range that is read. */
  readonly bound: number;
  /** In the order they were read. */
  readonly wants: readonly Want[];
  /** Disjoint, in the order of the object. */
  readonly pieces: readonly Piece[];
  /** Where a sequential read would start. */
  readonly expected: number;
  /** Bytes that were read sequentially before the last read. */
  readonly run: number;
  /** Bytes of the last read. */
  readonly last: number;
  /** Nothing is fetched ahead from here on, because that has failed. */
  readonly barrier: number;
  readonly nextId: number;
  readonly closed: boolean;
}

export interface ReaderStep {
  readonly state: ReaderState;
  readonly effects: readonly ReaderEffect[];
}

/** A reader at byte `from`; `sequential` if it is known that it will go on to the end. */
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
    // A read that takes what comes has moved only by what it was given.
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

/** Delivers what is here, drops what is not needed, asks for what is missing. */
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
        // Only if nobody has read elsewhere meanwhile.
        if (expected === want.start) [expected, run] = [end, run + end - at];
        at = want.end;
      } else at = end;
    }
    if (at < want.end) wants.push(at === want.at ? want : { ...want, at });
  }
  return { ...state, wants, expected, run };
}

/** Drops what neither a want nor the next sequential read needs, and under pressure more. */
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
  /** Asks for what is missing between, and for `over` at once where there is nothing; tells whether it got to the end. */
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
    // A short read is worth a buffer, and a sequential one what it would be ahead.
    const least = Math.max(start + limits.buffer, ahead > 0 ? at + chunk : 0);
    left -= get(at, Math.min(at + most, Math.max(end, least), bound), false) - at;
  }
  const rest = (end: number) => (at: number) => Math.min(at + most, end);
  // Ahead only in whole chunks, or small reads would make small requests.
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
