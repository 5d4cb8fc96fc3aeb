import { VirtualTimeScheduler, type Observable } from 'rxjs';
import {
  claim,
  decodeManifest,
  type CheckpointEvent,
  type ClaimOptions,
  type Coordinator,
} from '../../src/checkpoint/index.js';
import { logKey, type Manifest } from '../../src/checkpoint/manifest.js';
import { clockOf, type Barrier, type Committable, type Participant } from '../../src/flow/index.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import type { ObjectStore } from '../../src/store/objectStore.js';
import { intercepted, type Call } from './intercepted.js';

export const prefix = 'chk/job/';

/** One memory store in virtual time, and any number of coordinators on it. */
export class Harness {
  readonly scheduler = new VirtualTimeScheduler(undefined, 0);
  readonly clock = clockOf(this.scheduler);
  readonly memory = createMemoryStore({ clock: this.clock });
  readonly log: string[] = [];
  #seed = 1;
  readonly random = (): number => (this.#seed = (this.#seed * 48271) % 2147483647) / 2147483647;

  /** The store as an attempt sees it; requests that arrived are logged without the prefix. */
  store(
    around: <T>(call: Call, request: Observable<T>) => Observable<T> = (_, request) => request,
  ): ObjectStore {
    return intercepted(this.memory, <T>(call: Call, request: Observable<T>) => {
      this.log.push(`${call.verb} ${call.key.replaceAll(prefix, '').replace(/0{6,}/g, '')}`);
      return around(call, request);
    });
  }

  claim(options: Partial<ClaimOptions> = {}): Claimed {
    return new Claimed({
      store: this.store(),
      prefix,
      job: 'job',
      clock: this.clock,
      random: this.random,
      ...options,
    });
  }

  advance(ms: number): void {
    this.scheduler.maxFrames += ms;
    this.scheduler.flush();
    // Time passes even if nothing happens.
    this.scheduler.frame = this.scheduler.maxFrames;
  }

  manifest(n: number): Manifest {
    let bytes = Buffer.alloc(0);
    this.memory.get(prefix + logKey(n)).subscribe(({ chunks }) => (bytes = Buffer.concat(chunks)));
    return decodeManifest(bytes, `log ${n}`);
  }

  keys(under = ''): string[] {
    const keys: string[] = [];
    this.memory
      .list({ prefix: prefix + under })
      .subscribe(({ objects }) => keys.push(...objects.map(({ key }) => key.slice(prefix.length))));
    return keys.map((key) => key.replace(/^log\/0*/, 'log/'));
  }

  write(key: string): void {
    this.memory.put(prefix + key, Buffer.from(key)).subscribe();
  }
}

/** A claimed log, and its events. */
export class Claimed {
  readonly events: CheckpointEvent[] = [];
  readonly barriers: Barrier[] = [];
  readonly commits: Committable[][] = [];
  error: { readonly code: string; readonly message: string; readonly retryable: boolean } | undefined;
  coordinator!: Coordinator;

  constructor(options: ClaimOptions) {
    claim({ ...options, on: (event) => this.events.push(event) }).subscribe({
      next: (coordinator) => {
        this.coordinator = coordinator;
        // eslint-disable-next-line rxjs-x/no-nested-subscribe -- errors of what was just claimed
        coordinator.errors$.subscribe((error) => (this.error = error as Claimed['error']));
      },
      error: (error: unknown) => (this.error = error as Claimed['error']),
    });
  }

  get code(): string | undefined {
    return this.error?.code;
  }

  get types(): string[] {
    return this.events.map(({ type }) => type);
  }

  /** With a source `in` and a sink `out`. */
  start(sink: Partial<Participant> = {}): this {
    this.coordinator.register({ id: 'in', kind: 'source' });
    this.coordinator.register({
      id: 'out',
      kind: 'sink',
      commit: (pending) => {
        this.commits.push([...pending]);
      },
      ...sink,
    });
    this.coordinator.start((barrier) => this.barriers.push(barrier));
    return this;
  }

  /** A whole checkpoint, acked immediately. */
  checkpoint(
    position: number,
    closed: readonly Committable[] = [],
    open: readonly Committable[] = [],
  ): Barrier {
    const barrier = this.coordinator.trigger('periodic');
    barrier.ack('in', { snapshot: position });
    barrier.ack('out', { closed, open });
    return barrier;
  }
}

export function outcomeOf(barrier: Barrier): string | undefined {
  let seen: string | undefined;
  barrier.outcome.subscribe((outcome) => (seen = outcome));
  return seen;
}
