import { defer, finalize, shareReplay, tap } from 'rxjs';
import { plainUri } from '../path/index.js';
import { answeringStores } from '../store/decorators/answering.js';
import { decorate } from '../store/decorators/decorate.js';
import type { ObjectStore } from '../store/objectStore.js';
import { openStores } from '../store/open.js';
import { probe } from '../store/probe.js';
import type { StoreLocation, Stores } from '../store/services.js';
import type { ResolvedOptions } from './options.js';

/**
 * The stores of one run: those in the options, or stores opened here. `close` closes the latter once a manifest in flight
 * is answered. All other requests are aborted with the attempt, but an issued manifest cannot be recalled.
 */
export function jobStores(config: ResolvedOptions): { readonly stores: Stores; readonly close: () => void } {
  if (config.stores !== undefined) return { stores: answeringStores(config.stores), close: () => undefined };
  const { clock, random } = config.environment;
  const opened = openStores({ s3: config.s3, clock, random, logger: config.logger });
  const checkpoints = opened.open(plainUri(config.checkpoints.dir, config.config.transfer.entropy.key));
  let manifests = 0;
  let over = false;
  const closeWhenAnswered = (): void => {
    if (over && manifests === 0) opened.close();
  };
  const counted = (store: ObjectStore): ObjectStore =>
    decorate(store, (call, run) => {
      if (call.method !== 'put') return run;
      return defer(() => {
        manifests++;
        return run.pipe(
          finalize(() => {
            manifests--;
            closeWhenAnswered();
          }),
        );
      });
    });
  // The server of the checkpoints is probed below the checkpoint directory, where the job may write; the result holds
  // for all its buckets. Other servers are probed in the bucket that is opened.
  const base = checkpoints.key.replace(/\/+$/, '');
  const probed = probe(checkpoints.store, base === '' ? '' : `${base}/`, random, config.logger).pipe(
    tap((found) => config.logger.info({ store: checkpoints.store.uri, ...found }, 'Probed the server')),
    shareReplay({ bufferSize: 1, refCount: false }),
  );
  const locations = new Map<ObjectStore, Pick<StoreLocation, 'reserved' | 'capabilities'>>();
  const stores: Stores = {
    open: (uri) => {
      const location = opened.open(uri);
      const { store, server } = location;
      let ours = locations.get(store);
      if (ours === undefined) {
        ours = {
          reserved: server === undefined ? location.reserved : counted(location.reserved),
          capabilities:
            server !== undefined && server === checkpoints.server ? probed : location.capabilities,
        };
        locations.set(store, ours);
      }
      return { ...location, ...ours };
    },
  };
  return {
    stores,
    close: () => {
      over = true;
      closeWhenAnswered();
    },
  };
}
