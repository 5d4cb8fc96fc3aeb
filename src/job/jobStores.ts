import { defer, finalize, of, type Observable } from 'rxjs';
import { parseUri } from '../path/index.js';
import { decorate } from '../store/decorate.js';
import type { ObjectStore } from '../store/objectStore.js';
import { probe } from '../store/probe.js';
import { awsCapabilities, createStores } from '../store/registry.js';
import { retrying } from '../store/retry.js';
import { S3Connection } from '../store/s3/index.js';
import type { StoreCapabilities, Stores } from '../store/services.js';
import { memoryStore } from '../store/memory/index.js';
import type { ResolvedOptions } from './options.js';

/**
 * The stores of one run: those that were given, or one S3 connection for all buckets, directories and memory, with
 * retries. What was opened here is closed by `close`, once the manifest that may be on its way is answered: all else has
 * been aborted with the attempt, but an issued manifest can not be recalled.
 */
export function openStores(config: ResolvedOptions): { readonly stores: Stores; readonly close: () => void } {
  if (config.stores !== undefined) return { stores: config.stores, close: () => undefined };
  const { clock, random } = config.environment;
  let connection: S3Connection | undefined;
  const connect = (): S3Connection => (connection ??= new S3Connection(config.s3));
  let manifests = 0;
  let over = false;
  const closeWhenAnswered = (): void => {
    if (over && manifests === 0) connection?.close();
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
  const stores = createStores({
    clock,
    schemes: { s3: (bucket) => connect().store(bucket), memory: memoryStore },
    reserved: { s3: (bucket) => counted(connect().reserved(bucket)) },
    around: (store) => retrying(store, { clock, random }),
    capabilities: (store, scheme) =>
      scheme === 's3' ? probed(store, stores, config.checkpoints.dir, random) : of(awsCapabilities),
  });
  return {
    stores,
    close: () => {
      over = true;
      closeWhenAnswered();
    },
  };
}

/**
 * What the S3 server can do is asked below the checkpoint directory, where the job may write, and holds for all buckets
 * of the connection. Where checkpoints are elsewhere, it is asked in the bucket at hand.
 */
function probed(
  store: ObjectStore,
  stores: Stores,
  dir: string,
  random: () => number,
): Observable<StoreCapabilities> {
  return defer(() => {
    if (parseUri(dir).scheme !== 's3') return probe(store, '.millrace/', random);
    const checkpoints = stores.open(dir);
    if (checkpoints.store !== store) return checkpoints.capabilities;
    const base = checkpoints.key.replace(/\/+$/, '');
    return probe(store, base === '' ? '' : `${base}/`, random);
  });
}
