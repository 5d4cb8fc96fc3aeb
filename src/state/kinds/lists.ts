import { absent, Absent } from '../cells.js';
import { Table, type Entry } from './table.js';
import { Timed } from '../values/timed.js';
import type { Held } from './contents.js';
import type { Lifetime } from './ttl.js';

/**
 * A version of a list: the first `to` elements of an array that only ever grows, so that versions share it. What a
 * checkpoint needs is all of them, if this generation replaced the list, or those after `from`.
 */
export interface Version<T> {
  readonly elements: Held<T>[];
  /** 0 if `replaced`. */
  from: number;
  /** Whether this generation replaced the list. */
  replaced: boolean;
  to: number;
}

/** Lists are never empty: an empty one is absent. */
export class Lists<T> extends Table<Version<T>> {
  append(entry: Entry<Version<T>>, list: Version<T>, element: Held<T>): void {
    const { elements, to } = list;
    // Drops what an undone append has left. Assigning a length is slow even if it does not change.
    if (elements.length > to) elements.length = to;
    // Its last element may be in memory that the processor has to wait for.
    elements.push(element instanceof Timed ? notBefore(elements[to - 1], element) : element);
    const dirty = entry.generation === this.generation;
    if (dirty && !this.remembering) {
      list.to++;
      return;
    }
    const { from, replaced } = dirty ? list : { from: to, replaced: false };
    this.write(entry, { elements, from, replaced, to: to + 1 });
  }

  /** Replaces a list by a part of it, or by a changed copy. */
  replace(entry: Entry<Version<T>>, elements: Held<T>[]): void {
    const to = elements.length;
    this.write(entry, to === 0 ? absent : { elements, from: 0, replaced: true, to });
  }

  protected override unchanged(list: Version<T> | Absent): Version<T> | Absent {
    if (list instanceof Absent) return list;
    const { elements, to } = list;
    return { elements, from: to, replaced: false, to };
  }

  protected override under(older: Version<T> | Absent, newer: Version<T> | Absent): void {
    if (newer instanceof Absent || newer.replaced || older instanceof Absent) return;
    newer.from = older.from;
    newer.replaced = older.replaced;
  }
}

/** A list of one element, new in this generation. */
export function only<T>(element: Held<T>): Version<T> {
  return { elements: [element], from: 0, replaced: true, to: 1 };
}

/** Times of elements never fall, so that those that have expired are the first ones. */
export function notBefore<T>(last: Held<T> | undefined, element: Held<T>): Held<T> {
  return last instanceof Timed && element instanceof Timed && element.time < last.time
    ? new Timed(last.time, element.value)
    : element;
}

/** Number of elements that have expired. */
export function expiredIn<T>(
  { elements, to }: Pick<Version<T>, 'elements' | 'to'>,
  lifetime: Lifetime,
): number {
  const { now } = lifetime;
  let [first, end] = [0, to];
  while (first < end) {
    const middle = (first + end) >>> 1;
    if (lifetime.isOver(elements[middle] as Timed, now)) first = middle + 1;
    else end = middle;
  }
  return first;
}

/** Removes expired elements once they are half of the list, so that the cost of copying the rest is a constant each. */
export function trim<T>(lists: Lists<T>, entry: Entry<Version<T>>, lifetime: Lifetime): void {
  const { content } = entry;
  if (content instanceof Absent) return;
  const { elements, to } = content;
  const expired = expiredIn(content, lifetime);
  if (2 * expired >= to) lists.replace(entry, elements.slice(expired, to));
}
