/** Opens stores by URI, each once. */
import { of, shareReplay, type Observable } from 'rxjs';
import { checkOptions, type OptionNames } from '../config/checkOptions.js';
import { systemClock, type Clock } from '../flow/index.js';
import { filePath, parseUri, UnknownScheme, type Scheme } from '../path/index.js';
import { retrying } from './decorators/retry.js';
import { awsMinimumPartSize } from './helpers.js';
import { createLocalStore, localIdentities } from './local/index.js';
import { createMemoryStore } from './memory/index.js';
import type { ObjectStore } from './objectStore.js';
import type { StoreCapabilities, StoreLocation, Stores } from './services.js';

export interface StoresOptions {
  /**
   * Makes the store of a bucket, by scheme. `s3` has no default, so that no AWS code is loaded unless someone brings it;
   * `memory` and `file` can be replaced.
   */
  readonly schemes?: Partial<Record<Scheme, (bucket: string) => ObjectStore>>;
  /** The same place through sockets of its own, for schemes that have such. */
  readonly reserved?: Partial<Record<Scheme, (bucket: string) => ObjectStore>>;
  /** Probes a store; asked once for each. Default: what AWS S3 can do, which `file` and `memory` can, too. */
  readonly capabilities?: (store: ObjectStore, scheme: Scheme) => Observable<StoreCapabilities>;
  /** Goes around every store that is opened: faults, delays, counts. Those of an `S3Connection` retry by themselves. */
  readonly around?: (store: ObjectStore) => ObjectStore;
  /** For the stores made here. Default: the machine's clock. */
  readonly clock?: Clock;
}

/** What AWS S3 can do. */
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
 * The stores of this process. The same bucket gives the same store, for as long as this registry lives: two jobs that
 * share memory stores share the registry.
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
          // Of where the store is, which a factory may have put anywhere.
          ...(store.uri.startsWith('file://') ? { identities: localIdentities(filePath(store.uri)) } : {}),
          capabilities: capabilities(store, scheme).pipe(shareReplay({ bufferSize: 1, refCount: false })),
        };
        opened.set(id, found);
      }
      return { ...found, key };
    },
  };
}
