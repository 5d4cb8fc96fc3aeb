import { take, throwIfEmpty, type MonoTypeOperatorFunction } from 'rxjs';
import { StoreError } from '../errors.js';
import type { ObjectStore } from '../objectStore.js';
import type { Identities, StoreLocation, Stores } from '../services.js';
import { decorate } from './decorate.js';

/** What was made here, by the store that it wraps and by itself. */
const made = new WeakMap<ObjectStore, ObjectStore>();

/**
 * Holds a store to one answer a request. A request that completes without one fails with `NoAnswer`, since its caller would
 * wait forever. After the first answer nothing is waited for. The same store is always wrapped as the same store.
 */
function answering(store: ObjectStore): ObjectStore {
  let found = made.get(store);
  if (found === undefined) {
    found = decorate(store, ({ method, key }, run) => run.pipe(once(store, `${method} of '${key}'`)));
    made.set(store, found);
    made.set(found, found);
  }
  return found;
}

/** Stores that a user has made. What is opened there answers each request once, or fails. */
export function answeringStores(stores: Stores): Stores {
  return {
    open: (uri) => {
      const location = stores.open(uri);
      const { store, identities, variant, lifecycle } = location;
      return {
        ...location,
        store: answering(store),
        reserved: answering(location.reserved),
        capabilities: location.capabilities.pipe(once(store, 'capabilities')),
        ...(identities === undefined ? {} : { identities: identified(store, identities) }),
        ...(variant === undefined ? {} : { variant: varied(variant) }),
        ...(lifecycle === undefined ? {} : { lifecycle: lifecycle.pipe(once(store, 'lifecycle')) }),
      };
    },
  };
}

function identified(store: ObjectStore, identities: Identities): Identities {
  return {
    object: (key) => identities.object(key).pipe(once(store, `the identity of object '${key}'`)),
    directory: (key) => identities.directory(key).pipe(once(store, `the identity of directory '${key}'`)),
  };
}

function varied(variant: NonNullable<StoreLocation['variant']>): typeof variant {
  return (options) => answering(variant(options));
}

function once<T>({ uri }: ObjectStore, what: string): MonoTypeOperatorFunction<T> {
  return (request) =>
    request.pipe(
      take(1),
      throwIfEmpty(
        () =>
          new StoreError(
            'NoAnswer',
            `The store ${uri} completed without an answer: ${what}. Make it, or the decorator around it, emit one answer before it completes, or an error; \`storeConformance\` tests it.`,
          ),
      ),
    );
}
