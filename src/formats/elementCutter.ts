/**
 * Finds the ends of the elements of a JSON array: after each comma at its level, and after its closing bracket. Brackets and
 * commas in strings do not count.
 */
import type { Cutter } from './reader.js';

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const opening = 0x5b;
const newline = 0x0a;

/** `before` the opening bracket, `in` the array, or `after` it, where there are no more boundaries. */
export type ArrayPlace = 'before' | 'in' | 'after';

/** White space, or a byte of a byte order mark. */
export const isSkipped = (byte: number): boolean =>
  byte <= 0x20 || byte === 0xef || byte === 0xbb || byte === 0xbf;

interface ElementState {
  place: ArrayPlace;
  /** Open brackets within the array. */
  depth: number;
  string: boolean;
  escaped: boolean;
}

export class ElementCutter implements Cutter {
  #state: ElementState;
  #lines = 0;
  /** `first` is within an element. */
  #within = false;

  constructor(place: ArrayPlace) {
    this.#state = { place, depth: 0, string: false, escaped: false };
  }

  /** After the last boundary. */
  get place(): ArrayPlace {
    return this.#state.place;
  }

  first(bytes: Buffer, from: number, to: number): number {
    const end = scan(this.#state, bytes, from, to, true);
    this.#within = end < 0;
    for (let at = from; at < (end < 0 ? to : end); at++) if (bytes[at] === newline) this.#lines++;
    return end;
  }

  /** `place` if the bytes that `first` has read are the last ones of the object: an element that does not end is the last one. */
  get placeAtEnd(): ArrayPlace {
    return this.#within && this.place === 'in' ? 'after' : this.place;
  }

  /** Takes the number of line ends that `first` has read since the last call. */
  takeLines(): number {
    const lines = this.#lines;
    this.#lines = 0;
    return lines;
  }

  last(bytes: Buffer, from: number, to: number): number {
    const state = { ...this.#state };
    const end = scan(state, bytes, from, to, false);
    if (end >= 0)
      this.#state = {
        place: state.place === 'after' ? 'after' : 'in',
        depth: 0,
        string: false,
        escaped: false,
      };
    return end;
  }
}

function scan(state: ElementState, bytes: Buffer, from: number, to: number, one: boolean): number {
  let { depth, string, escaped } = state;
  let end = -1;
  let at = from;
  while (state.place === 'before' && at < to) {
    const byte = bytes[at] ?? 0;
    if (byte === opening) state.place = 'in';
    else if (!isSkipped(byte)) state.place = 'after';
    at++;
  }
  if (state.place !== 'in') return -1;
  for (; at < to; at++) {
    const byte = bytes[at] ?? 0;
    if (string) {
      if (escaped) escaped = false;
      else if (byte === backslash) escaped = true;
      else if (byte === quote) string = false;
    } else if (byte === quote) string = true;
    else if (byte === comma) {
      if (depth > 0) continue;
      end = at + 1;
      if (one) break;
    } else if ((byte | 0x20) === 0x7b) depth++;
    else if ((byte | 0x20) === 0x7d) {
      if (depth-- > 0) continue;
      state.place = 'after';
      end = at + 1;
      break;
    }
  }
  const ended = end >= 0 && (one || state.place === 'after');
  state.depth = ended ? 0 : depth;
  state.string = !ended && string;
  state.escaped = !ended && escaped;
  return end;
}
