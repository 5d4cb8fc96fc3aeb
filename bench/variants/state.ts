import { valueState } from 'millrace';
import type { Start } from '../harness/workload.js';
import { fold, keyNames, keySequence } from '../synthetic/keys.js';

/**
 * `valueState` as `keyed` uses it for each record, without the flow around it. Params: `keys`, `updates` a round.
 * Each round is one generation: earlier writes are frozen and stored, so every key that is written becomes dirty
 * again.
 */
export const valueStates: Start = (params) => {
  const names = keyNames(Number(params['keys']));
  const sequence = keySequence(Number(params['keys']), Number(params['updates']));
  const counts = valueState(0).open('counts');
  const { handle } = counts;
  for (const name of names) {
    counts.at(name);
    handle.set(0);
    counts.leave();
  }
  return {
    round() {
      counts.freeze().stored();
      let digest = 0;
      for (const name of sequence) {
        counts.at(name);
        digest = fold(
          digest,
          handle.update((n) => n + 1),
        );
        counts.leave();
      }
      return Promise.resolve({ digest: String(digest), amount: sequence.length });
    },
  };
};

/**
 * The minimal cost of accessing a record's value through a handle and tracking changes between two barriers: a `Map`
 * of entries stamped with the generation that wrote them, a list of those written in the current one, and a field for
 * the record's entry. No kinds of keys or values, nothing frozen. Params as above.
 */
export const bareHandle: Start = (params) => {
  const names = keyNames(Number(params['keys']));
  const sequence = keySequence(Number(params['keys']), Number(params['updates']));
  const handle = new Handle(names);
  return {
    round() {
      handle.next();
      let digest = 0;
      for (const name of sequence) {
        handle.at(name);
        digest = fold(
          digest,
          handle.update((n) => n + 1),
        );
        handle.leave();
      }
      return Promise.resolve({ digest: String(digest), amount: sequence.length });
    },
  };
};

interface Count {
  content: number;
  generation: number;
}

class Handle {
  readonly #entries: ReadonlyMap<string, Count>;
  #entry: Count | undefined;
  #generation = 0;
  #written: unknown[] = [];

  constructor(names: readonly string[]) {
    this.#entries = new Map(names.map((name) => [name, { content: 0, generation: 0 }]));
  }

  next(): void {
    this.#generation++;
    // An array of objects from the start, as in `Table`.
    this.#written = [{}];
  }

  at(name: string): void {
    this.#entry = this.#entries.get(name);
  }

  update(change: (content: number) => number): number {
    const entry = this.#entry;
    if (entry === undefined) throw new Error('not in a turn');
    const content = change(entry.content);
    if (entry.generation !== this.#generation) {
      entry.generation = this.#generation;
      this.#written.push(entry);
    }
    entry.content = content;
    return content;
  }

  leave(): void {
    this.#entry = undefined;
  }
}
