import type { Subscriber } from 'rxjs';
import { MillraceError } from '../errors.js';
import { checkId } from '../config/checkId.js';
import { checkOptions, oneOf, required, type OptionNames } from '../config/checkOptions.js';
import { configOf } from '../config/service.js';
import { InvalidOption } from '../config/units.js';
import {
  flowOperator,
  FlowSubscriber,
  isLast,
  SkippedRecords,
  type Barrier,
  type FlowOperator,
  type OnUnencodable,
  type Open,
  type Signal,
} from '../flow/index.js';
import { typeName } from '../formats/typeName.js';
import { deferredInFlow, isDeferred } from '../flow/deferred.js';
import {
  maxStates,
  StateBackend,
  StateError,
  storedKey,
  type Handles,
  type Key,
  type StateSpecs,
} from '../state/index.js';
import type { StoredKey } from '../state/keys.js';
import { checkpointData } from '../store/services.js';

/** What {@link keyed} is told. */
export interface KeyedOptions<A, K extends Key, S extends StateSpecs, B> {
  /** The key of a record. Equal keys share state: `1` and `'1'` differ, `{ a, b }` and `{ b, a }` do not. */
  readonly key: (record: A) => K;
  /** The states, by name. Names are stored: keep them. */
  readonly state: S;
  /** Handles a record, with the states of its key. What it returns goes down, in order. */
  readonly onRecord: (record: A, states: Handles<S>) => Iterable<B>;
  /**
   * A record whose key or whose values no state can hold (`UnsupportedKey`, `UnsupportedValue`): the job ends, or the record is
   * skipped, with all that `onRecord` did to states, and all it returned. To know of that in time, `skip` encodes every value
   * when it is set. Default `'fail'`.
   */
  readonly onUnencodable?: OnUnencodable;
}

/**
 * Holds the state of one attempt. `Open` is held until it is restored; at a barrier it is frozen, the barrier passes, and the
 * ack follows when the frozen part is stored.
 */
class Keyed<A, K extends Key, S extends StateSpecs, B> extends FlowSubscriber<A, B> {
  readonly #id: string;
  readonly #options: KeyedOptions<A, K, S, B>;
  readonly #key: (record: A) => K;
  readonly #onRecord: (record: A, states: Handles<S>) => Iterable<B>;
  readonly #skipping: boolean;
  #skipped!: SkippedRecords;
  #backend!: StateBackend;
  /** Undefined while restoring. */
  #handles: Handles<S> | undefined;

  constructor(out: Subscriber<B | Signal>, id: string, options: KeyedOptions<A, K, S, B>) {
    super(out);
    this.#id = id;
    this.#options = options;
    this.#key = options.key;
    this.#onRecord = options.onRecord;
    this.#skipping = options.onUnencodable === 'skip';
  }

  protected override get label(): string {
    return this.#id;
  }

  override onOpen(open: Open): void {
    const id = this.#id;
    const { attempt } = open;
    attempt.register({ id, kind: 'operator' });
    this.#skipped = new SkippedRecords(id, attempt);
    const backend = (this.#backend = new StateBackend({
      operator: id,
      states: this.#options.state,
      data: attempt.use(checkpointData),
      clock: attempt.clock,
      early: this.#skipping,
      files: configOf(attempt).state,
      report: (event) => {
        attempt.report(event);
      },
    }));
    this.add(() => {
      backend.close();
    });
    const ready = (): void => {
      this.#handles = backend.handles as Handles<S>;
      this.emit(open);
    };
    const snapshot = attempt.restored(id)?.snapshot;
    if (snapshot === undefined) {
      ready();
      return;
    }
    this.request(backend.restore(snapshot), { complete: ready });
  }

  override onRecord(record: A): void {
    const backend = this.#backend;
    const handles = this.#handles;
    if (handles === undefined) throw restoring(this.#id);
    if (this.#skipping) {
      this.#tryRecord(record, handles);
      return;
    }
    const key: Key = this.#key(record);
    backend.at(typeof key === 'string' || typeof key === 'number' ? key : this.#stored(key));
    const results = this.#onRecord(record, handles);
    // Callers may be JavaScript, and an async callback is the commonest slip.
    if (!isIterable(results)) throw notIterable(this.#id, results);
    for (const value of results) {
      if (isDeferred(value)) throw deferredInFlow(`onRecord of keyed('${this.#id}') returned`, value);
      this.emit(value);
    }
    backend.leave();
  }

  /** As above, but a record that state cannot hold leaves no trace. */
  #tryRecord(record: A, handles: Handles<S>): void {
    const backend = this.#backend;
    let results: readonly B[];
    try {
      backend.at(this.#stored(this.#key(record)));
      backend.remember();
      const returned = this.#onRecord(record, handles);
      if (!isIterable(returned)) throw notIterable(this.#id, returned);
      results = [...returned];
    } catch (error) {
      if (!isUnencodable(error)) throw error;
      backend.undo();
      backend.leave();
      this.#skipped.skip(error);
      return;
    }
    for (const value of results) {
      if (isDeferred(value)) throw deferredInFlow(`onRecord of keyed('${this.#id}') returned`, value);
      this.emit(value);
    }
    backend.leave();
  }

  #stored(key: Key): StoredKey {
    if (isDeferred(key)) throw deferredInFlow(`key of keyed('${this.#id}') returned`, key);
    return storedKey(key);
  }

  override onBarrier(barrier: Barrier): void {
    const frozen = this.#backend.freeze(isLast(barrier.reason));
    this.emit(barrier);
    this.request(frozen, (part) => {
      barrier.ack(this.#id, part);
    });
  }
}

function isUnencodable(error: unknown): boolean {
  return error instanceof StateError && ['UnsupportedKey', 'UnsupportedValue'].includes(error.code);
}

/** A string is iterable, too, but one that is returned means one record, not one for each of its characters. */
function isIterable(results: unknown): boolean {
  return (
    typeof (results as Partial<Iterable<unknown>> | null | undefined)?.[Symbol.iterator] === 'function' &&
    typeof results !== 'string'
  );
}

function notIterable(id: string, results: unknown): MillraceError {
  if (isDeferred(results)) return deferredInFlow(`onRecord of keyed('${id}') returned`, results);
  return new MillraceError(
    'NotIterable',
    `onRecord of keyed('${id}') returned a value of type ${typeName(results)}. Return the records to send down as an array or another synchronous Iterable, [] for none.`,
  );
}

const restoring = (id: string): MillraceError =>
  new MillraceError(
    'NotOpened',
    `A record reached keyed '${id}' before its state was restored: only job.run(…) sends records, once every Open has come through.`,
  );

/**
 * Handles records with state that belongs to their key and survives crashes.
 *
 * `onRecord` runs for one record at a time, in order, and synchronously; what it read, wrote or cleared before a barrier is in
 * that checkpoint, and nothing after. Whatever it throws ends the flow.
 *
 * `id` names the state in checkpoints: unique within the job, and kept for as long as its state matters.
 * Errors: `InvalidOption`, `InvalidState` at once; `DuplicateId`, `StateSchemaMismatch`, `SegmentCorrupt`, `SegmentMissing`,
 * `SegmentTooNew` on start; `UnsupportedKey`, `UnsupportedValue`, `StateOutsideTurn`, `TooManyKeys`, `NotIterable`,
 * `PromiseInFlow`, `ObservableInFlow` while running.
 *
 * @example
 * ```ts
 * const clicks = visits.pipe(
 *   keyed('per-user', {
 *     key: (v) => v.user,
 *     state: { clicks: valueState(0) },
 *     onRecord: (v, { clicks }) => [{ ...v, clicks: clicks.update((n) => n + 1) }],
 *   }),
 * );
 * ```
 */
export function keyed<A, K extends Key, S extends StateSpecs, B>(
  id: string,
  options: KeyedOptions<A, K, S, B>,
): FlowOperator<A, B> {
  validate(id, options);
  return flowOperator<A, B>((out) => new Keyed(out, id, options));
}

const names: OptionNames<KeyedOptions<never, never, never, never>> = {
  key: true,
  state: true,
  onRecord: true,
  onUnencodable: true,
};

/** Callers may be JavaScript: the types are not to be relied on here. */
function validate(id: string, options: object): void {
  checkId('the id of keyed', id);
  checkOptions(`keyed '${id}'`, required(`the options of keyed '${id}'`, options), names);
  const { key, state, onRecord, onUnencodable } = options as Readonly<Record<string, unknown>>;
  if (typeof key !== 'function') throw new InvalidOption(`keyed('${id}').key`, key, 'a function');
  if (typeof onRecord !== 'function')
    throw new InvalidOption(`keyed('${id}').onRecord`, onRecord, 'a function');
  oneOf(`keyed('${id}').onUnencodable`, onUnencodable as string | undefined, ['fail', 'skip']);
  const specs = typeof state === 'object' && state !== null ? Object.entries(state) : [];
  if (specs.length === 0 || specs.length > maxStates) {
    throw new StateError(
      'InvalidState',
      `keyed('${id}', …) needs \`state\` with 1 to ${maxStates} named states.`,
    );
  }
  for (const [name, spec] of specs) {
    if (typeof (spec as { open?: unknown } | null)?.open !== 'function') {
      throw new StateError(
        'InvalidState',
        `State ${name} of keyed('${id}', …) is no state: use valueState(…) or another kind.`,
      );
    }
  }
}
