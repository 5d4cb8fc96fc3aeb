import { isDeepStrictEqual } from 'node:util';
import { crc32 } from 'node:zlib';
import { defaultConfig } from '../../src/config/service.js';
import type { Frozen, Json, OperatorEvent } from '../../src/flow/index.js';
import { StateBackend, type StateBackendOptions } from '../../src/state/backend/backend.js';
import { limits, type BlockInfo, type SegmentLimits } from '../../src/state/segment/format.js';
import type { SegmentRef } from '../../src/state/segment/segmentObject.js';
import { storedKey, type Key } from '../../src/state/keys/keys.js';
import { messagePack } from '../../src/state/values/serializer.js';
import type { StateSpecs } from '../../src/state/state.js';
import type { Table } from '../../src/state/kinds/table.js';
import type { ValueState } from '../../src/state/kinds/valueState.js';
import type { ObjectStore } from '../../src/store/objectStore.js';
import type { CheckpointData } from '../../src/store/services.js';
import { SimulatedClock } from '../../src/testing/simulatedClock.js';

/** The description of a block of these bytes, with one entry and a valid checksum. */
export function blockInfo(bytes: Buffer): BlockInfo {
  return { offset: 8, length: bytes.length, crc: crc32(bytes), cells: 1, firstGroup: 0, lastGroup: 0 };
}

/** Runs up to `most` timers of a clock, by default all, so that tests control every interleaving. */
export function takeTurns(clock: SimulatedClock, most = Infinity): number {
  let taken = 0;
  while (taken < most && clock.step()) taken++;
  return taken;
}

/** The segments of a snapshot. */
export const segmentsOf = (snapshot: unknown): SegmentRef[] =>
  (snapshot as { runs: { segments: SegmentRef[] }[] }).runs.flatMap(({ segments }) => segments);

/** A snapshot of states that were never renamed, in one run of these segments. */
export const snapshotOf = (states: readonly string[], segments: readonly SegmentRef[]): Json => {
  const keyGroups = { first: 0, last: 127 };
  return {
    kind: 'keyed-state',
    version: 3,
    maxParallelism: 128,
    keyGroups,
    states: states.map((name) => ({ id: name, name })),
    runs: [{ keyGroups, segments }],
  } as unknown as Json;
};

/** The table of a value state. */
export const tableOf = (state: unknown): Table<unknown> => (state as { table: Table<unknown> }).table;

let names = 0;

export const dataOn = (store: ObjectStore): CheckpointData => ({
  store,
  key: (name) => `checkpoints/job/${name}`,
  name: (operator, suffix) => `data/0000000001/${operator}-${names++}${suffix}`,
});

/** Exact equality. In Node, invalid dates inside sets and maps are not equal, but their encodings are.
 */
export const same = (a: unknown, b: unknown): boolean =>
  isDeepStrictEqual(a, b) || Buffer.compare(messagePack.encode(a), messagePack.encode(b)) === 0;

/** For `toThrow`: an error of this code. */
export const coded = (code: string): Error => expect.objectContaining({ code }) as Error;

/** A backend with helpers to use it as an operator does. */
export class Bench {
  readonly clock: SimulatedClock;
  readonly events: OperatorEvent[] = [];
  readonly backend: StateBackend;

  constructor(
    store: ObjectStore,
    states: StateSpecs,
    most: Partial<SegmentLimits> = {},
    more: Pick<StateBackendOptions, 'allowDropped' | 'keyGroups'> & {
      readonly clock?: SimulatedClock;
      readonly compression?: boolean;
    } = {},
  ) {
    const { clock = new SimulatedClock(), compression = true, ...options } = more;
    this.clock = clock;
    this.backend = new StateBackend({
      operator: 'op',
      states,
      data: dataOn(store),
      clock: this.clock,
      random: () => 0.5,
      report: (event) => this.events.push(event),
      limits: { ...limits, ...most },
      ...options,
      // Small, so that little data exercises every part.
      files: { ...defaultConfig().state, compression, compactionTrigger: 4 },
    });
  }

  /** Works with one state's value at `key`. */
  with<T, R = void>(key: Key, state: string, work: (handle: ValueState<T>) => R): R {
    this.backend.at(storedKey(key));
    const result = work(this.backend.handles[state] as ValueState<T>);
    this.backend.leave();
    return result;
  }

  /** Freezes, and runs until that is stored. */
  checkpoint(): Frozen {
    let ack: Frozen | undefined;
    let failure: unknown;
    this.backend.freeze().subscribe({
      next: (frozen) => (ack = frozen),
      error: (error: unknown) => {
        failure = error;
      },
    });
    this.clock.run();
    if (ack === undefined) throw failure;
    return ack;
  }

  restore(...snapshots: readonly (Json | undefined)[]): this {
    let failure: unknown;
    let done = false;
    this.backend.restore(snapshots.map((snapshot) => snapshot ?? null)).subscribe({
      complete: () => (done = true),
      error: (error: unknown) => {
        failure = error;
      },
    });
    this.clock.run();
    if (!done) throw failure;
    return this;
  }
}
