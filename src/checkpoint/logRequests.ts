import { Subscription, type Observable } from 'rxjs';
import { isRetryable } from '../errors.js';
import { backoffDelay, halfJitter, type Backoff } from '../flow/backoff.js';
import type { Clock } from '../flow/index.js';
import type { ObjectStore } from '../store/objectStore.js';
import { isInDoubt, isStoreError } from '../store/errors.js';
import { accessError } from './accessError.js';
import { dataKey } from './dataPlace.js';
import type { Entry, Listed, LogEvent, LogRequest, LogState } from './logState.js';
import { logKey, logNumber, type Manifest } from './manifest.js';
import { encodeManifest } from './manifestCodec.js';
import { largest } from './signedJson.js';
import type { Adoption } from './contract.js';
import { readManifest, type Scope } from './trust.js';

/**
 * Tries of a read before the attempt fails, on top of the store's own retries. Together they bridge an outage of
 * about ten seconds, and more of throttling. The PUT of a manifest has no such limit.
 */
const readTries = 8;

/** Between two tries. */
const pauses: Backoff = { first: 100, max: 10_000, spread: halfJitter };

export interface LogRequestsOptions {
  readonly store: ObjectStore;
  /** For manifests: sockets that part uploads can't starve. */
  readonly logStore: ObjectStore;
  readonly prefix: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly scope: Scope;
  /** The savepoints that an empty log begins with. */
  readonly from: Adoption | undefined;
  readonly answered: (answer: LogEvent) => void;
  /** A request has failed and is repeated; `undefined` once it is answered. */
  readonly repeated: (error: unknown) => void;
  readonly inDoubt: (n: number, tries: number, error: unknown) => void;
  /** The deleted keys, the number of failed deletions, and the first of their errors. */
  readonly deleted: (keys: readonly string[], failed: number, error: unknown) => void;
}

/** Sends the requests of the manifest log to its store. The answer to each is an event of the log. */
export class LogRequests {
  readonly #options: LogRequestsOptions;
  readonly #held = new Subscription();
  #closed = false;
  #lists = 0;
  /** Bytes of the manifest issued last. */
  bytes = 0;

  constructor(options: LogRequestsOptions) {
    this.#options = options;
  }

  /** Has the effect of a crash: a PUT in flight continues, everything else is dropped. */
  close(): void {
    this.#closed = true;
    this.#held.unsubscribe();
  }

  send(request: LogRequest, { phase, last }: LogState): void {
    switch (request.type) {
      case 'list':
        this.#list(request.from, phase === 'listing');
        return;
      case 'get':
        this.#get(request.n, 1);
        return;
      case 'put':
        this.#put(request.manifest, request.doubts);
        return;
      case 'adopt':
        this.#adopt();
        return;
      case 'delete':
        this.#delete(request.keys, last?.manifest);
    }
  }

  #list(from: number, claiming: boolean): void {
    const list = (): void => {
      this.#page(from, [], undefined, 1);
    };
    // Backs off, as two attempts could otherwise claim in turn again and again.
    const again = claiming ? this.#lists++ : 0;
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
        if (page.cursor === undefined) this.#answer({ type: 'listed', entries: found });
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
          this.#answer({ type: 'unreadable', error });
          return;
        }
        this.#answer({ type: 'got', entry });
      },
      (next) => {
        this.#get(n, next);
      },
      () => {
        this.#answer({ type: 'got', entry: undefined });
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
            this.#options.repeated(error);
            this.#after(tries, () => {
              again(tries + 1);
            });
          } else this.#answer({ type: 'refused', error: this.#explained(error) });
        },
      }),
    );
  }

  #put(manifest: Manifest, doubts: number): void {
    const body = encodeManifest(manifest, this.#options.scope.sign?.keys[0]);
    this.bytes = body.length;
    const issue = (): void => {
      const { logStore, prefix, repeated, inDoubt } = this.#options;
      // Not added to `held`: an issued manifest cannot be aborted.
      logStore.put(prefix + logKey(manifest.n), body, { ifNoneMatch: '*' }).subscribe({
        next: ({ etag }) => {
          this.#answer({ type: 'created', etag });
        },
        error: (error: unknown) => {
          if (this.#closed) return;
          if (isStoreError(error, 'AlreadyExists', 'PreconditionFailed')) this.#answer({ type: 'taken' });
          else if (isStoreError(error, 'NoAnswer')) this.#answer({ type: 'unanswered', error });
          else if (doubts === 0 && isRefusal(error)) {
            this.#answer({ type: 'refused', error: this.#explained(error) });
          } else {
            repeated(error);
            inDoubt(manifest.n, doubts + 1, error);
            this.#answer({ type: 'in-doubt' });
          }
        },
      });
    };
    if (doubts === 0) issue();
    else this.#after(doubts, issue);
  }

  #adopt(): void {
    const { from } = this.#options;
    if (from === undefined) return;
    this.#held.add(
      from.adopted.subscribe({
        next: (draft) => {
          this.#answer({ type: 'adopted', draft });
        },
        error: (error: unknown) => {
          this.#answer({ type: 'refused', error });
        },
      }),
    );
  }

  #delete(keys: readonly string[], last: Manifest | undefined): void {
    const { store, prefix, deleted } = this.#options;
    const place = { prefix, entropy: last?.entropy };
    const keyOf = (name: string): string =>
      logNumber(name) === undefined ? dataKey(place, name) : prefix + name;
    this.#held.add(
      store.delete(keys.map(keyOf)).subscribe({
        next: (failures) => {
          const bad = new Set(failures.map(({ key }) => key));
          const failed = keys.filter((name) => bad.has(keyOf(name)));
          const gone = keys.filter((name) => !bad.has(keyOf(name)));
          deleted(gone, failed.length, failures[0]?.error);
          this.#answer({ type: 'deleted', keys: gone, failed });
        },
        error: (error: unknown) => {
          // The keys stay declared: the next entry tries again.
          deleted([], keys.length, error);
          this.#answer({ type: 'deleted', keys: [], failed: keys });
        },
      }),
    );
  }

  #after(tries: number, work: () => void): void {
    const { clock, random } = this.#options;
    const timer: Subscription = clock.after(backoffDelay(pauses, tries, random()), () => {
      this.#held.remove(timer);
      work();
    });
    this.#held.add(timer);
  }

  #answer(answer: LogEvent): void {
    if (this.#closed) return;
    if (answer.type !== 'in-doubt') this.#options.repeated(undefined);
    this.#options.answered(answer);
  }

  #explained(error: unknown): unknown {
    const { logStore, prefix } = this.#options;
    return accessError(error, `${logStore.uri}/${prefix}`);
  }
}

/** Whether this request has written nothing and never will. */
function isRefusal(error: unknown): boolean {
  if (!isStoreError(error) || isInDoubt(error)) return false;
  return (
    error.unchanged || isStoreError(error, 'PermissionDenied', 'NotFound', 'NotSupported', 'InvalidRequest')
  );
}
