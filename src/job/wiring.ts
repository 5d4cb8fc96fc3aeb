import type { Observable } from 'rxjs';
import { MillraceError } from '../errors.js';
import { open, type Attempt } from '../flow/index.js';
import type { SourcePump } from '../sources/pump.js';
import type { DeadLetter, Source } from '../sources/source.js';
import type { SourceProgress } from '../store/observe/sourceProgress.js';
import type { FailurePlace } from './failure.js';
import { HotSource } from './hotSource.js';
import { Leaf, type LeafEvents } from './leaf.js';

/** A source that a leaf needs. */
export interface WiredSource {
  readonly source: Source<unknown>;
  readonly records: HotSource<unknown>;
  readonly letters: HotSource<DeadLetter>;
  pump?: SourcePump<unknown>;
  /** Whether `End` has been sent. */
  ended: boolean;
}

/** The sources and leaves of a job. */
export interface Graph {
  readonly sources: ReadonlyMap<string, Source<unknown>>;
  readonly leaves: readonly Observable<unknown>[];
  /** Runs `subscribe`, during which the flows of `job.source` find their source with `find`. */
  wired(find: (id: string) => Observable<unknown>, subscribe: () => void): void;
}

/** The leaves of an attempt, and the sources that they subscribe to. */
export class Wiring {
  readonly leaves: Leaf[] = [];
  readonly #sources = new Map<string, WiredSource>();
  readonly #graph: Graph;
  readonly #events: LeafEvents;

  constructor(graph: Graph, events: LeafEvents) {
    this.#graph = graph;
    this.#events = events;
  }

  /** By id. */
  get sources(): ReadonlyMap<string, WiredSource> {
    return this.#sources;
  }

  /** Subscribes every leaf, and the dead letter sinks of their sources. Stops when it is `over`. */
  connect(over: () => boolean): void {
    for (const flow of this.#graph.leaves) {
      const leaf = this.#leaf();
      this.#graph.wired(
        (id) => {
          leaf.sources.add(id);
          return this.#source(id).records.branch(leaf);
        },
        () => {
          flow.subscribe(leaf);
        },
      );
      if (over()) return;
    }
    for (const [id, { source, letters }] of this.#sources) {
      if (over()) return;
      if (source.deadLetter === undefined) continue;
      const leaf = this.#leaf();
      leaf.sources.add(id);
      source.deadLetter(letters.branch(leaf)).subscribe(leaf);
    }
  }

  /** Sends `Open` to each branch of each source. */
  open(attemptOf: (leaf: Leaf) => Attempt): void {
    for (const [id, { records, letters }] of this.#sources) {
      const openOf = (leaf: Leaf) => open([id], attemptOf(leaf));
      records.open(openOf);
      letters.open(openOf);
    }
  }

  /**
   * Checks that every `Open` has arrived at a leaf or a terminal. Errors: `OpenLost`, `LeafWithoutSource`.
   */
  checkOpen(terminals: number): void {
    for (const leaf of this.leaves) if (!leaf.open) throw openLost(leaf.index);
    const without = this.leaves.find(({ sources }) => sources.size === 0);
    if (without !== undefined && terminals < this.leaves.length) throw leafWithoutSource(without.index);
  }

  /** How far each source has come, by id. */
  get progress(): Iterable<readonly [string, SourceProgress | undefined]> {
    return [...this.#sources].map(([id, { pump }]) => [id, pump?.progress]);
  }

  /** The place of the record being handled. */
  get place(): FailurePlace {
    for (const [source, { pump }] of this.#sources) {
      const place = pump?.place;
      if (place !== undefined) return { source, ...place };
    }
    return {};
  }

  /** Bytes of each source that were sent before the newest barrier and are not released yet. */
  get buffered(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#sources].map(([id, { pump }]) => [id, pump?.buffered ?? 0]));
  }

  /** Lets the leaves complete. */
  complete(): void {
    for (const leaf of this.leaves) leaf.finish();
    for (const { records, letters } of this.#sources.values()) {
      records.complete();
      letters.complete();
    }
  }

  close(): void {
    for (const { pump } of this.#sources.values()) pump?.close();
    for (const leaf of this.leaves) leaf.unsubscribe();
  }

  #leaf(): Leaf {
    const leaf = new Leaf(this.leaves.length, this.#events);
    this.leaves.push(leaf);
    return leaf;
  }

  #source(id: string): WiredSource {
    const known = this.#sources.get(id);
    if (known !== undefined) return known;
    const source = this.#graph.sources.get(id);
    if (source === undefined) throw new MillraceError('UnknownSource', `This job has no source '${id}'.`);
    const wired = {
      source,
      records: new HotSource<unknown>(),
      letters: new HotSource<DeadLetter>(),
      ended: false,
    };
    this.#sources.set(id, wired);
    return wired;
  }
}

const openLost = (index: number): MillraceError =>
  new MillraceError(
    'OpenLost',
    `Leaf ${index} of run(…) did not receive the Open signal of its source: a plain operator on the flow dropped it (filter) or holds it back (delay, observeOn). Lift operators with records(…), so that they see only records.`,
  );

const leafWithoutSource = (index: number): MillraceError =>
  new MillraceError(
    'LeafWithoutSource',
    `Leaf ${index} of run(…) does not start at a source of this job: begin it with job.source(…).`,
  );
