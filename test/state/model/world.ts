/** Backends of one operator, over a store whose requests may fail and take time, beside the model of what they hold. */
import fc from 'fast-check';
import { lastValueFrom } from 'rxjs';
import type { Frozen, Json } from '../../../src/flow/index.js';
import { encodeKey, parseSnapshot, StoredState, type Handles, type Key } from '../../../src/state/index.js';
import { hashOf, keyGroupOf, keyGroupRange } from '../../../src/state/keys/keyGroups.js';
import { storedKey } from '../../../src/state/keys/keys.js';
import type { TtlOptions } from '../../../src/state/kinds/ttl.js';
import type { SegmentLimits } from '../../../src/state/segment/format.js';
import { isStoreError } from '../../../src/store/errors.js';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import { SimulatedClock } from '../../../src/testing/simulatedClock.js';
import { Bench, dataOn, takeTurns } from '../harness.js';
import {
  apply,
  changed,
  changes,
  heldIn,
  idOf,
  live,
  namespaces,
  nowhere,
  outside,
  read,
  renewed,
  specsWith,
  spots,
  without,
  type Change,
  type Held,
  type Place,
  type Specs,
} from './places.js';

export interface Target {
  readonly store: ObjectStore;
  /** Whether requests are in flight. */
  readonly busy: boolean;
  /** The end of the next request in flight. */
  answer(): Promise<void>;
  /** Whether requests may fail. */
  faults: boolean;
}

export type Act =
  | Change
  | { readonly do: 'read'; readonly key: Key; readonly namespace: Key | undefined }
  | { readonly do: 'barrier' | 'cancel' | 'checkpoint' | 'fire' }
  | { readonly do: 'restart'; readonly parallelism: number }
  | { readonly do: 'turns' | 'pass event' | 'pass processing'; readonly count: number };

const count = (most: number): { readonly count: fc.Arbitrary<number> } => ({
  count: fc.integer({ min: 1, max: most }),
});

export const acts: fc.Arbitrary<readonly Act[]> = fc.array(
  fc.oneof<fc.WeightedArbitrary<Act>[]>(
    { weight: 16, arbitrary: changes },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('read' as const),
        ...spots,
      }),
    },
    {
      weight: 7,
      arbitrary: fc.record({
        do: fc.constantFrom(
          'barrier' as const,
          'cancel' as const,
          'checkpoint' as const,
          'checkpoint' as const,
        ),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('fire' as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('restart' as const),
        parallelism: fc.integer({ min: 1, max: 3 }),
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('turns' as const), ...count(8) }) },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constantFrom('pass event' as const, 'pass processing' as const),
        ...count(6),
      }),
    },
  ),
  { minLength: 20, maxLength: 80, size: 'max' },
);

/** How long values are kept in the model. */
const after = 10;

export const ttls: fc.Arbitrary<TtlOptions | undefined> = fc.option(
  fc.record({
    after: fc.constant(after),
    refresh: fc.constantFrom('write', 'read'),
    expired: fc.constantFrom('hidden', 'until-cleaned'),
    time: fc.constantFrom('processing', 'event'),
  }),
  { nil: undefined },
);

type Places = ReadonlyMap<string, Place>;

/** A checkpoint that all processes have acked. */
export interface Cut {
  readonly snapshots: readonly (Json | undefined)[];
  readonly places: Places;
  readonly event: number;
}

export class World {
  readonly cuts: Cut[] = [];
  compactions = 0;
  readonly #target: Target;
  readonly #ttl: TtlOptions | undefined;
  readonly #specs: Specs;
  readonly #limits: Partial<SegmentLimits>;
  readonly #clock = new SimulatedClock();
  readonly #keys = new Map<string, Key>();
  #time = { event: 0, processing: 0 };
  #places = new Map<string, Place>();
  #benches: readonly Bench[];

  constructor(target: Target, ttl: TtlOptions | undefined, limits: Partial<SegmentLimits> = {}) {
    this.#target = target;
    this.#ttl = ttl;
    this.#specs = specsWith(ttl);
    this.#limits = limits;
    this.#benches = this.#processes(1);
    this.#pass(0, 0);
  }

  async act(act: Act): Promise<void> {
    if ('name' in act) this.#change(act);
    else if (act.do === 'read') this.#check(act.key, act.namespace);
    else if (act.do === 'fire') this.#fire();
    else if (act.do === 'turns') await this.#turns(act.count);
    else if (act.do === 'restart') await this.#restart(act.parallelism);
    else if (act.do === 'pass event') this.#pass(act.count, 0);
    else if (act.do === 'pass processing') this.#pass(0, act.count);
    else {
      this.#barrier(act.do === 'cancel');
      if (act.do === 'checkpoint') await this.#settle();
    }
  }

  /** A last checkpoint without faults; then every checkpoint is as the model has it, for restores and from outside. */
  async conclude(parallelism: number, restores: number): Promise<void> {
    this.#target.faults = false;
    await this.#settle();
    this.#barrier();
    await this.#settle();
    for (const [id, key] of this.#keys) for (const namespace of namespaces) this.#check(key, namespace, id);
    this.#count();
    for (const bench of this.#benches) bench.backend.close();
    for (const cut of this.cuts.slice(-restores)) {
      const benches = await this.#restored(cut, parallelism);
      const now = this.#ttl?.time === 'event' ? cut.event : this.#time.processing;
      for (const [id, key] of this.#keys)
        for (const namespace of namespaces) {
          const place = cut.places.get(`${id} ${idOf(namespace)}`) ?? nowhere;
          // A restore removes all that has expired.
          const found = this.#turn(benches, key, (handles) => read(this.#specs, handles, namespace));
          expect(found).toEqual(heldIn(live(place, this.#isOver(now))));
          // From outside, nothing has expired.
          if (cut === this.cuts.at(-1) && this.#ttl === undefined)
            await this.#checkOutside(cut, key, namespace);
        }
      for (const bench of benches) bench.backend.close();
    }
  }

  #processes(parallelism: number): readonly Bench[] {
    return Array.from({ length: parallelism }, (_, i) => {
      const keyGroups = keyGroupRange(i, parallelism, 128);
      const bench = new Bench(this.#target.store, this.#specs, this.#limits, {
        keyGroups,
        clock: this.#clock,
      });
      return bench;
    });
  }

  #of<T>(processes: readonly T[], key: Key): T {
    const group = keyGroupOf(hashOf(storedKey(key)), 128);
    const found = processes.find((_, i) => group <= keyGroupRange(i, processes.length, 128).last);
    if (found === undefined) throw new RangeError(`nobody has key group ${group}`);
    return found;
  }

  #turn<R>(benches: readonly Bench[], key: Key, work: (handles: Handles<Specs>) => R): R {
    const { backend } = this.#of(benches, key);
    backend.at(storedKey(key));
    const result = work(backend.handles as Handles<Specs>);
    backend.leave();
    return result;
  }

  get #now(): number {
    return this.#ttl === undefined ? 0 : this.#time[this.#ttl.time ?? 'processing'];
  }

  #isOver(now: number): (time: number) => boolean {
    return (time) => this.#ttl !== undefined && now - time >= after;
  }

  /**
   * What a turn of the model finds, given what was found. Only what has expired may be missing, and, if it is shown until it
   * is removed, be there.
   */
  #found(place: Place, found: Held): Place {
    const isOver = this.#isOver(this.#now);
    const left = this.#ttl?.expired === 'until-cleaned' ? without(place, found, isOver) : live(place, isOver);
    expect(found).toEqual(heldIn(left));
    return this.#ttl?.refresh === 'read' ? renewed(left, this.#now, isOver) : left;
  }

  #check(key: Key, namespace: Key | undefined, id = idOf(key)): void {
    this.#keys.set(id, key);
    const at = `${id} ${idOf(namespace)}`;
    const found = this.#turn(this.#benches, key, (handles) => read(this.#specs, handles, namespace));
    this.#places.set(at, this.#found(this.#places.get(at) ?? nowhere, found));
  }

  #change(change: Change): void {
    const { key, namespace, undone } = change;
    const id = idOf(key);
    this.#keys.set(id, key);
    const at = `${id} ${idOf(namespace)}`;
    let place = this.#places.get(at) ?? nowhere;
    const { backend } = this.#of(this.#benches, key);
    this.#turn(this.#benches, key, (handles) => {
      // What is shown may differ from turn to turn, and changes build on it.
      if (this.#ttl?.expired === 'until-cleaned')
        place = this.#found(place, read(this.#specs, handles, namespace));
      else place = live(place, this.#isOver(this.#now));
      if (undone) backend.remember();
      apply(handles, change);
      if (undone) backend.undo();
    });
    this.#places.set(at, undone ? place : changed(place, change, this.#now));
  }

  #pass(event: number, processing: number): void {
    this.#time = { event: this.#time.event + event, processing: this.#time.processing + processing };
    this.#clock.setTime(this.#time.processing);
    for (const { backend } of this.#benches) backend.eventTime = this.#time.event;
  }

  /** Takes the timers that are due. */
  #fire(): void {
    for (const time of ['event', 'processing'] as const) {
      const now = this.#time[time];
      const fired: string[] = [];
      for (const { backend } of this.#benches) {
        const queue = new Map(backend.timers).get(time);
        for (let last = -Infinity; queue !== undefined && queue.next <= now;) {
          const { key, at, namespace } = queue.take();
          expect(at).toBeGreaterThanOrEqual(last);
          last = at;
          fired.push(`${Buffer.from(encodeKey(key)).toString('hex')} ${idOf(namespace)} ${at}`);
        }
      }
      const due: string[] = [];
      for (const [id, place] of this.#places) {
        due.push(...place[time].filter((at) => at <= now).map((at) => `${id} ${at}`));
        this.#places.set(id, { ...place, [time]: place[time].filter((at) => at > now) });
      }
      expect(fired.sort()).toEqual(due.sort());
    }
  }

  #barrier(cancel = false): void {
    const [event, places] = [this.#time.event, new Map(this.#places)];
    const acks: Frozen[] = [];
    const benches = this.#benches;
    const snapshots: (Json | undefined)[] = [];
    benches.forEach(({ backend }, i) => {
      const storing = backend.freeze().subscribe({
        next: (ack) => {
          snapshots[i] = ack.snapshot;
          if (acks.push(ack) === benches.length) this.cuts.push({ snapshots, places, event });
        },
        error: expectFault,
      });
      if (cancel && i === 0) storing.unsubscribe();
    });
  }

  async #turns(most: number): Promise<void> {
    for (let i = 0; i < most; i++) {
      if (takeTurns(this.#clock, 1) > 0) continue;
      if (!this.#target.busy) return;
      await this.#target.answer();
    }
  }

  async #settle(): Promise<void> {
    await this.#turns(Infinity);
  }

  /** Dies, and continues from the last checkpoint with other ranges of key groups. */
  async #restart(parallelism: number): Promise<void> {
    const cut = this.cuts.at(-1);
    if (cut === undefined) return;
    this.#count();
    for (const { backend } of this.#benches) backend.close();
    // Event time goes back to the checkpoint, the clock does not.
    this.#time = { event: cut.event, processing: this.#time.processing };
    this.#benches = await this.#restored(cut, parallelism);
    const now = this.#now;
    this.#places = new Map([...cut.places].map(([at, place]) => [at, live(place, this.#isOver(now))]));
  }

  async #restored({ snapshots, places, event }: Cut, parallelism: number): Promise<readonly Bench[]> {
    const { faults } = this.#target;
    for (let tries = 0; ; tries++) {
      this.#target.faults = faults && tries < 3;
      const benches = this.#processes(parallelism);
      let failures = 0;
      let done = 0;
      for (const { backend } of benches)
        backend.restore(snapshots.map((snapshot) => snapshot ?? null)).subscribe({
          complete: () => done++,
          error: (error: unknown) => {
            expectFault(error);
            failures++;
          },
        });
      await this.#settle();
      this.#target.faults = faults;
      if (done === parallelism) {
        for (const { backend } of benches) expect(backend.eventTime).toBe(event);
        this.#checkMemory(benches, places, event);
        return benches;
      }
      expect([done + failures, tries < 3]).toEqual([parallelism, true]);
      for (const { backend } of benches) backend.close();
    }
  }

  /** A restore loads nothing that was removed or has expired, before any turn looks for that. */
  #checkMemory(benches: readonly Bench[], places: Places, event: number): void {
    const now = this.#ttl?.time === 'event' ? event : this.#time.processing;
    const all = [...places.values()].map((place) => live(place, this.#isOver(now)));
    const sum = (of: readonly number[]): number => of.reduce((total, each) => total + each, 0);
    const inMemory: Record<string, number> = {};
    for (const { backend } of benches)
      Object.keys(backend.handles).forEach((name, i) => {
        inMemory[name] = (inMemory[name] ?? 0) + (backend.states[i]?.size ?? 0);
      });
    expect(inMemory).toEqual({
      n: all.filter(({ n }) => n !== undefined).length,
      highest: all.filter(({ highest }) => highest !== undefined).length,
      all: all.filter((place) => place.all !== undefined).length,
      list: all.filter(({ list }) => list.length > 0).length,
      map: sum(all.map(({ map }) => map.size)),
      event: sum(all.map((place) => place.event.length)),
      processing: sum(all.map(({ processing }) => processing.length)),
    });
  }

  /** Reads of the state of a key from outside. */
  async #checkOutside(cut: Cut, key: Key, namespace: Key | undefined): Promise<void> {
    const state = new StoredState({
      operator: 'op',
      snapshot: parseSnapshot('op', this.#of(cut.snapshots, key) ?? null),
      data: dataOn(this.#target.store),
      declared: this.#specs,
    });
    const space = namespace === undefined ? new Uint8Array(0) : encodeKey(storedKey(namespace));
    const found: Partial<Record<keyof Specs, unknown>> = {};
    for (const name of Object.keys(this.#specs) as (keyof Specs)[])
      found[name] = outside(name, await lastValueFrom(state.get(name, storedKey(key), space)));
    expect(found).toEqual(heldIn(cut.places.get(`${idOf(key)} ${idOf(namespace)}`) ?? nowhere));
  }

  #count(): void {
    for (const { events } of this.#benches)
      this.compactions += events.filter(({ type }) => type === 'segments-compacted').length;
  }
}

/** Only what was injected may fail. */
function expectFault(error: unknown): void {
  if (!isStoreError(error, 'Unavailable')) throw error;
}
