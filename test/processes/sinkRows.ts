/** The rows that `sinksJob.ts` writes to each of its sinks, and what a reader may see of them at any time. */
import { createHash } from 'node:crypto';
import { eventOf } from './input.js';

export interface Row {
  readonly id: number;
  readonly user: string;
  /** Rows of the user so far. */
  readonly count: number;
  /** It hardly shrinks when compressed. */
  readonly text: string;
}

export function rowOf(id: number, count: number): Row {
  const text = createHash('shake256', { outputLength: 600 }).update(String(id)).digest('base64');
  return { id, user: eventOf(id).user, count, text };
}

/** What readers of one sink have seen: each row at most once, and as it was written. */
export class Sightings {
  readonly #name: string;
  readonly #counts: readonly number[];
  readonly #seen = new Set<number>();
  readonly #last = new Map<string, number>();
  readonly wrong: string[] = [];
  duplicated = 0;

  /** @param counts of each event: those of its user so far */
  constructor(name: string, counts: readonly number[]) {
    this.#name = name;
    this.#counts = counts;
  }

  get seen(): number {
    return this.#seen.size;
  }

  get lost(): number {
    return this.#counts.length - this.#seen.size;
  }

  /** @param inTurn whether the rows of a user arrive one after the other, without a gap */
  see(rows: Iterable<Row>, where: string, inTurn: boolean): void {
    for (const { id, user, count, text } of rows) {
      const wanted = rowOf(id, this.#counts[id] ?? -1);
      if (user !== wanted.user || count !== wanted.count || text !== wanted.text)
        this.#report(`${where}: nobody wrote ${JSON.stringify({ id, user, count, text }).slice(0, 100)}`);
      if (this.#seen.has(id)) {
        this.duplicated++;
        this.#report(`${where}: ${id} is there again`);
      }
      this.#seen.add(id);
      const last = this.#last.get(user) ?? 0;
      if (inTurn && count !== last + 1) this.#report(`${where}: row ${count} of ${user} comes after ${last}`);
      this.#last.set(user, count);
    }
  }

  /** For a second look from the beginning. */
  afresh(): Sightings {
    return new Sightings(`${this.#name}, read again`, this.#counts);
  }

  #report(what: string): void {
    if (this.wrong.length < 10) this.wrong.push(`${this.#name}: ${what}`);
  }
}
