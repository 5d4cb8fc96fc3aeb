import { concatMap, defer, Observable } from 'rxjs';
import { InvalidOption, parseSize, type Size } from '../../config/units.js';
import type { ByteRange, ObjectInfo, ObjectStore } from '../objectStore.js';
import type { ReadBudget } from './budget.js';
import type { ReaderLimits } from './policy.js';
import { SeekableReader } from './reader.js';

const defaultLimits: ReaderLimits = { buffer: 256 << 10, fragment: 5 << 20, window: 50 };

/** The limits of a reader with these options. Throws `InvalidOption`. */
export function limitsOf(
  { fragment, window }: Pick<ReadOptions, 'fragment' | 'window'>,
  defaults: ReaderLimits = defaultLimits,
): ReaderLimits {
  const bytes = fragment === undefined ? defaults.fragment : parseSize('fragment', fragment);
  if (bytes < 1) throw new InvalidOption('fragment', fragment, 'at least one byte');
  const count = window ?? defaults.window;
  if (!Number.isSafeInteger(count) || count < 1)
    throw new InvalidOption('window', count, 'a whole number from 1 on');
  return { buffer: defaults.buffer, fragment: bytes, window: count };
}

export interface ReadOptions {
  readonly range?: ByteRange;
  /** The ETag that the object must have. Default: the ETag when it is opened. */
  readonly ifMatch?: string;
  readonly fragment?: Size;
  /** The maximum number of fragments in flight or in memory. */
  readonly window?: number;
}

/** An object to read, and its memory limits. */
export interface ReadSource {
  readonly store: ObjectStore;
  readonly key: string;
  readonly budget: ReadBudget;
  readonly limits?: ReaderLimits;
  /** The result of a HEAD, which is then not made. */
  readonly info?: ObjectInfo;
}

/** Opens an object to read a range sequentially with `pull`. Nothing is read before. */
export function openSequential(source: ReadSource, options: ReadOptions = {}): Observable<SeekableReader> {
  return defer(() => {
    const { store, key, budget, info } = source;
    const { range, ifMatch } = options;
    return SeekableReader.open(store, key, {
      budget,
      limits: limitsOf(options, source.limits),
      sequential: true,
      ...(info === undefined ? {} : { info }),
      ...(range === undefined ? {} : { range }),
      ...(ifMatch === undefined ? {} : { ifMatch }),
    });
  });
}

/**
 * An object's chunks in order, as received, without backpressure. Slow consumers use {@link openSequential}.
 */
export function readObject(source: ReadSource, options: ReadOptions = {}): Observable<Uint8Array> {
  return openSequential(source, options).pipe(concatMap(chunksOf));
}

function chunksOf(reader: SeekableReader): Observable<Uint8Array> {
  return new Observable((out) => {
    out.add(() => {
      reader.close();
    });
    const next = (): void => {
      const pulled = reader.pull(Infinity).subscribe({
        next: (chunks) => {
          if (chunks.length === 0) out.complete();
          for (const chunk of chunks) if (!out.closed) out.next(chunk);
        },
        error: (error: unknown) => out.error(error),
        complete: () => {
          if (!out.closed) next();
        },
      });
      out.add(pulled);
    };
    next();
  });
}
