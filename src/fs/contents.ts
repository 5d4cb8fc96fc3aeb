import { defer, map, type Observable } from 'rxjs';
import type { Transfer } from '../config/config.js';
import type { Clock } from '../flow/index.js';
import { allowances, type Allow } from '../job/memory/index.js';
import type { ObjectInfo } from '../store/objectStore.js';
import { limitsOf, openSequential, ReadBudget, readObject, SeekableReader } from '../store/reader/index.js';
import type { ReaderLimits, ReadSource } from '../store/reader/index.js';
import type { Place } from './operations/place.js';
import type { ReadOptions, WriteBody, WriteOptions, Written } from './types.js';
import { conditioned, ObjectWriter, writeObject, type WriteTarget } from './writer/index.js';

export interface ContentsOptions {
  readonly open: (uri: string) => Place;
  readonly transfer: () => Transfer;
  /** Runs the clean-up after an unsubscribe, such as aborting an upload. */
  readonly onCleanUp: (cleanUp: Observable<never>) => void;
  readonly clock: Clock;
}

/**
 * Reads and writes the bytes of objects for one client. Its readers share one memory budget, an allowance of the
 * process's, and each writer has one of its own.
 */
export class Contents {
  readonly #options: ContentsOptions;
  readonly #allow: Allow;
  #budget: ReadBudget | undefined;

  constructor(options: ContentsOptions) {
    this.#options = options;
    this.#allow = allowances(options.clock, () => options.transfer().memoryBudget);
  }

  /** For consumers that keep up. */
  read(uri: string, options: ReadOptions = {}): Observable<Uint8Array> {
    return defer(() => readObject(this.#source(uri), options));
  }

  /** A reader to be pulled from the start. */
  sequential(uri: string, options: ReadOptions = {}, info?: ObjectInfo): Observable<SeekableReader> {
    return defer(() => openSequential(this.#source(uri, info), options));
  }

  /** A reader for any position. */
  seekable(uri: string, info?: ObjectInfo, ifMatch?: string): Observable<SeekableReader> {
    return defer(() => {
      const { store, key, ...rest } = this.#source(uri, info);
      const limits = limitsOf({}, rest.limits);
      return SeekableReader.open(store, key, {
        ...rest,
        limits,
        ...(ifMatch === undefined ? {} : { ifMatch }),
      });
    });
  }

  write(uri: string, body: WriteBody, options: WriteOptions = {}): Observable<Written> {
    return defer(() => writeObject(this.#target(uri), body, this.#writing(options), this.#options.onCleanUp));
  }

  /** A writer that has written nothing yet. The caller must end or abort it. */
  writer(uri: string, options: WriteOptions = {}): Observable<ObjectWriter> {
    return defer(() => {
      const target = this.#target(uri);
      return conditioned(target, this.#writing(options)).pipe(
        map((resolved) => new ObjectWriter(target, resolved)),
      );
    });
  }

  #source(uri: string, info?: ObjectInfo): ReadSource & { readonly limits: ReaderLimits } {
    const { store, key } = this.#options.open(uri);
    const transfer = this.#options.transfer();
    const { readBuffer, fragmentSize = 5 << 20, fragmentNumber = 50, parallel } = transfer;
    this.#budget ??= new ReadBudget(transfer.readBudget, this.#allow);
    const limits = { buffer: readBuffer, fragment: fragmentSize, window: parallel ? fragmentNumber : 1 };
    return { store, key, budget: this.#budget, limits, ...(info === undefined ? {} : { info }) };
  }

  #target(uri: string): WriteTarget {
    const place = this.#options.open(uri);
    const { clock } = this.#options;
    return { store: place.store, key: place.key, uri: place.uri(place.key), clock, allow: this.#allow };
  }

  #writing(options: WriteOptions): WriteOptions {
    const { writePartSize, uploadConcurrency, parallel } = this.#options.transfer();
    return { partSize: writePartSize, inFlight: parallel ? uploadConcurrency : 1, ...options };
  }
}
