import { Subscription, type Observable } from 'rxjs';
import { isRetryable } from '../errors.js';
import type { Clock } from '../flow/index.js';
import type { ObjectStore } from '../store/objectStore.js';
import { isInDoubt, isStoreError } from '../store/errors.js';
import { backoff } from './backoff.js';
import {
  initial,
  type Entry,
  type Listed,
  type LogEffect,
  type LogEvent,
  type LogState,
  type Self,
} from './logState.js';
import { accessError } from './accessError.js';
import { dataKey } from './dataPlace.js';
import { logKey, logNumber, type Manifest } from './manifest.js';
import { encodeManifest, largest } from './manifestCodec.js';
import { step } from './manifestLog.js';
import { readManifest, type Scope } from './trust.js';

/**
 * How often a read is asked for before the attempt gives up, each time with the retries of the store itself: in all that
 * bridges about ten seconds of outage, more of throttling. The PUT of a manifest has no such limit.
 */
const readTries = 8;

export interface LogDriverOptions {
  readonly store: ObjectStore;
  /** For manifests: sockets that part uploads can't starve. */
  readonly logStore: ObjectStore;
  readonly prefix: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly self: Self;
  readonly scope: Scope;
  /** Hears of every effect that is no request. */
  readonly on: (effect: Exclude<LogEffect, Request>) => void;
  readonly inDoubt: (n: number, tries: number, error: unknown) => void;
  /** Everything that was sent has been dealt with. */
  readonly idle: () => void;
  /** What could be deleted, how many could not, and why the first of those. */
  readonly deleted: (keys: readonly string[], failed: number, error: unknown) => void;
  /** The protocol itself refused, such as `GarbageReferenced`. */
  readonly broken: (error: unknown) => void;
}

type Request = Extract<LogEffect, { readonly type: 'list' | 'get' | 'put' | 'delete' }>;

/** Runs the manifest log against a store: its effects become requests, their answers events. One step at a time. */
export class LogDriver {
  readonly #options: LogDriverOptions;
  readonly #held = new Subscription();
  readonly #waiting: LogEvent[] = [];
  #state: LogState;
  #busy = false;
  #closed = false;
  #lists = 0;
  /** Bytes of the manifest issued last. */
  bytes = 0;

  constructor(options: LogDriverOptions) {
    this.#options = options;
    this.#state = initial(options.self);
  }

  get state(): LogState {
    return this.#state;
  }

  send(event: LogEvent): void {
    if (this.#closed) return;
    this.#waiting.push(event);
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (
        let next = this.#waiting.shift();
        next !== undefined && !this.isClosed();
        next = this.#waiting.shift()
      ) {
        const { state, effects } = step(this.#state, next, this.#options.clock.now());
        this.#state = state;
        for (const effect of effects) if (!this.isClosed()) this.#run(effect);
      }
    } catch (error) {
      this.#options.broken(error);
    } finally {
      this.#busy = false;
    }
    if (!this.isClosed()) this.#options.idle();
  }

  /** As a crash: a PUT under way is left alone, everything else is dropped. */
  close(): void {
    this.#closed = true;
    this.#waiting.length = 0;
    this.#held.unsubscribe();
  }

  private isClosed(): boolean {
    return this.#closed;
  }

  #run(effect: LogEffect): void {
    switch (effect.type) {
      case 'list':
        this.#list(effect.from);
        return;
      case 'get':
        this.#get(effect.n, 1);
        return;
      case 'put':
        this.#put(effect.manifest, effect.doubts);
        return;
      case 'delete':
        this.#delete(effect.keys);
        return;
      default:
        this.#options.on(effect);
    }
  }

  #list(from: number): void {
    const list = (): void => {
      this.#page(from, [], undefined, 1);
    };
    // Two attempts that claim in turn must not do so for ever.
    const again = this.#state.phase === 'listing' ? this.#lists++ : 0;
    if (again === 0) list();
    else this.#after(again, list);
  }

  #page(from: number, found: Listed[], cursor: string | undefined, tries: number): void {
    const { logStore, prefix } = this.#options;
    const startAfter = from > 1 ? { startAfter: prefix + logKey(from - 1) } : {};
    this.#read(
      logStore.list(
        cursor === undefined
          ? { prefix: `${prefix}log/`, ...startAfter }
          : { prefix: `${prefix}log/`, cursor },
      ),
      tries,
      (page) => {
        for (const { key, etag } of page.objects) {
          const n = logNumber(key.slice(prefix.length));
          if (n !== undefined) found.push({ n, etag });
        }
        if (page.cursor === undefined) this.send({ type: 'listed', entries: found });
        else this.#page(from, found, page.cursor, 1);
      },
      (next) => {
        this.#page(from, found, cursor, next);
      },
    );
  }

  #get(n: number, tries: number): void {
    const { logStore, prefix } = this.#options;
    const key = prefix + logKey(n);
    this.#read(
      logStore.get(key, { range: { start: 0, end: largest + 1 } }),
      tries,
      ({ info, chunks }) => {
        let entry: Entry;
        try {
          entry = { manifest: readManifest(Buffer.concat(chunks), n, this.#options.scope), etag: info.etag };
        } catch (error) {
          this.send({ type: 'unreadable', error });
          return;
        }
        this.send({ type: 'got', entry });
      },
      (next) => {
        this.#get(n, next);
      },
      () => {
        this.send({ type: 'got', entry: undefined });
      },
    );
  }

  #read<T>(
    request: Observable<T>,
    tries: number,
    next: (answer: T) => void,
    again: (tries: number) => void,
    missing?: () => void,
  ): void {
    this.#held.add(
      request.subscribe({
        next,
        error: (error: unknown) => {
          if (missing !== undefined && isStoreError(error, 'NotFound')) missing();
          else if (isRetryable(error) && tries < readTries) {
            this.#after(tries, () => {
              again(tries + 1);
            });
          } else this.send({ type: 'refused', error: this.#explained(error) });
        },
      }),
    );
  }

  #put(manifest: Manifest, doubts: number): void {
    const body = encodeManifest(manifest, this.#options.scope.sign?.keys[0]);
    this.bytes = body.length;
    const issue = (): void => {
      const { logStore, prefix, inDoubt } = this.#options;
      // Not among `held`: an issued manifest can not be aborted.
      logStore.put(prefix + logKey(manifest.n), body, { ifNoneMatch: '*' }).subscribe({
        next: ({ etag }) => {
          this.send({ type: 'created', etag });
        },
        error: (error: unknown) => {
          if (this.#closed) return;
          if (isStoreError(error, 'AlreadyExists', 'PreconditionFailed')) this.send({ type: 'taken' });
          else if (doubts === 0 && isRefusal(error)) {
            this.send({ type: 'refused', error: this.#explained(error) });
          } else {
            inDoubt(manifest.n, doubts + 1, error);
            this.send({ type: 'in-doubt' });
          }
        },
      });
    };
    if (doubts === 0) issue();
    else this.#after(doubts, issue);
  }

  #delete(keys: readonly string[]): void {
    const { store, prefix, deleted } = this.#options;
    const place = { prefix, entropy: this.#state.last?.manifest.entropy };
    const keyOf = (name: string): string =>
      logNumber(name) === undefined ? dataKey(place, name) : prefix + name;
    this.#held.add(
      store.delete(keys.map(keyOf)).subscribe({
        next: (failures) => {
          const bad = new Set(failures.map(({ key }) => key));
          const failed = keys.filter((name) => bad.has(keyOf(name)));
          const gone = keys.filter((name) => !bad.has(keyOf(name)));
          deleted(gone, failed.length, failures[0]?.error);
          this.send({ type: 'deleted', keys: gone, failed });
        },
        error: (error: unknown) => {
          // Stays declared: the next entry tries again.
          deleted([], keys.length, error);
          this.send({ type: 'deleted', keys: [], failed: keys });
        },
      }),
    );
  }

  #after(tries: number, work: () => void): void {
    const { clock, random } = this.#options;
    const timer: Subscription = clock.after(backoff(tries, random), () => {
      this.#held.remove(timer);
      work();
    });
    this.#held.add(timer);
  }

  #explained(error: unknown): unknown {
    const { logStore, prefix } = this.#options;
    return accessError(error, `${logStore.uri}/${prefix}`);
  }
}

/** Nothing was written, nor ever will be by this request. */
function isRefusal(error: unknown): boolean {
  if (!isStoreError(error) || isInDoubt(error)) return false;
  return (
    error.unchanged || isStoreError(error, 'PermissionDenied', 'NotFound', 'NotSupported', 'InvalidRequest')
  );
}
