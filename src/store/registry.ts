/** Opens stores by URI, each once. */
import { of, shareReplay, type Observable } from 'rxjs';
import { checkOptions, type OptionNames } from '../config/checkOptions.js';
import { systemClock, type Clock } from '../flow/index.js';
import { filePath, parseUri, UnknownScheme, type Scheme } from '../path/index.js';
import { retrying } from './decorators/retry.js';
import { awsMinimumPartSize } from './helpers.js';
import { createLocalStore, localIdentities, localInPlace } from './local/index.js';
import { createMemoryStore } from './memory/index.js';
import type { ObjectStore } from './objectStore.js';
import type { StoreCapabilities, StoreLocation, Stores } from './services.js';

export interface StoresOptions {
  /**
   * Makes the store of a bucket, by scheme. `s3` has no default, so no AWS code is loaded without need; `memory` and `file`
   * can be replaced.
   */
  readonly schemes?: Partial<Record<Scheme, (bucket: string) => ObjectStore>>;
  /** The same bucket over reserved sockets. Default: the same store. */
  readonly reserved?: Partial<Record<Scheme, (bucket: string) => ObjectStore>>;
  /** Probes a store; called once for each. Default: the capabilities of AWS S3, which `file` and `memory` share. */
  readonly capabilities?: (store: ObjectStore, scheme: Scheme) => Observable<StoreCapabilities>;
  /** Decorates every opened store: faults, delays, counts. Those of an `S3Connection` retry inside it. */
  readonly around?: (store: ObjectStore) => ObjectStore;
  /** The clock of the default stores. Default: the machine's clock. */
  readonly clock?: Clock;
}

/** The capabilities of AWS S3. */
export const awsCapabilities: StoreCapabilities = {
  conditionalPut: true,
  completeSubset: true,
  minimumPartSize: awsMinimumPartSize,
};

const names: OptionNames<StoresOptions> = {
  schemes: true,
  reserved: true,
  capabilities: true,
  around: true,
  clock: true,
};

/**
 * Opens stores by URI. A registry always returns the same store for a bucket, so jobs that share memory stores must share the
 * registry.
 *
 * @example
 * ```ts
 * const { store, key } = createStores().open('memory://lake/raw/a.txt');
 * ```
 */
export function createStores(options: StoresOptions = {}): Stores {
  checkOptions('createStores', options, names);
  const { capabilities = () => of(awsCapabilities), clock = systemClock } = options;
  const around = options.around ?? ((store: ObjectStore): ObjectStore => store);
  const factories: Partial<Record<Scheme, (bucket: string) => ObjectStore>> = {
    memory: (bucket) => createMemoryStore({ uri: `memory://${bucket}`, clock }),
    file: (bucket) => retrying(createLocalStore(`/${bucket}`, { clock }), { clock }),
    ...options.schemes,
  };
  const opened = new Map<string, Omit<StoreLocation, 'key'>>();
  return {
    open(uri) {
      const { scheme, bucket, key } = parseUri(uri);
      const id = `${scheme}://${bucket}`;
      let found = opened.get(id);
      if (found === undefined) {
        const factory = factories[scheme];
        if (factory === undefined) throw new UnknownScheme(scheme);
        const store = around(factory(bucket));
        const reserved = options.reserved?.[scheme];
        found = {
          store,
          bucket,
          reserved: reserved === undefined ? store : around(reserved(bucket)),
          // By the store's own URI: a factory may have put it anywhere.
          ...(store.uri.startsWith('file://') ? local(filePath(store.uri)) : {}),
          capabilities: capabilities(store, scheme).pipe(shareReplay({ bufferSize: 1, refCount: false })),
        };
        opened.set(id, found);
      }
      return { ...found, key };
    },
  };
}

function local(root: string): Pick<StoreLocation, 'identities' | 'inPlace'> {
  return { identities: localIdentities(root), inPlace: localInPlace(root) };
}
