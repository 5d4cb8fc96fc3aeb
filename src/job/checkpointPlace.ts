import type { EntropyMark } from '../checkpoint/dataPlace.js';
import type { Config } from '../config/config.js';
import { withoutEntropy } from '../path/index.js';
import type { StoreLocation, Stores } from '../store/services.js';

/** Where a job's log is. */
export interface CheckpointPlace {
  readonly location: StoreLocation;
  /** The directory `checkpoints.dir`, for all jobs that share it: empty, or ends in a slash. */
  readonly directory: string;
  /** The job's own folder in it. */
  readonly prefix: string;
  /** Where entropy goes into the prefix of data, and how much. */
  readonly entropy: (EntropyMark & { readonly length: number }) | undefined;
}

export function checkpointPlace(
  { stores, config }: { readonly stores: Stores; readonly config: Config },
  dir: string,
  job: string,
): CheckpointPlace {
  const location = stores.open(dir);
  const { key: marker, length } = config.transfer.entropy;
  const { plain, at, name = false } = withoutEntropy(location.key, marker);
  const base = plain.replace(/\/+$/, '');
  const directory = base === '' ? '' : `${base}/`;
  const entropy = at === undefined ? undefined : { at, name, length };
  return { location, directory, prefix: `${directory}${job}/`, entropy };
}
