import { MillraceError } from '../errors.js';
import type { Attempt } from '../flow/index.js';
import { isPromise, promiseInFlow } from '../flow/promises.js';
import { PartitionTooLong } from './errors.js';
import type { SinkSettings } from './options.js';
import { formatUid } from './uids.js';

/** Names the files of one sink in one attempt: `<folder>/<partition>/<prefix->part-<uid><suffix><extension>`. */
export class FileNames {
  #counter = 0;

  constructor(
    private readonly id: string,
    private readonly attempt: Attempt,
    private readonly folder: string,
    private readonly settings: Pick<SinkSettings<never>, 'prefix' | 'suffix' | 'format'>,
  ) {}

  /** The next file's uid and key. Throws `InvalidPartition`, `PartitionTooLong`. */
  next(partition: string): { readonly uid: string; readonly key: string } {
    if (isPromise(partition)) throw promiseInFlow(`partitionBy of fileSink('${this.id}') returned`);
    if (typeof partition !== 'string') {
      throw new MillraceError(
        'InvalidPartition',
        `fileSink '${this.id}': partitionBy returned ${String(partition)}. Return a string; '' is the sink's own folder.`,
      );
    }
    const { prefix, suffix, format } = this.settings;
    const { jobId, epoch } = this.attempt;
    const uid = formatUid({ jobId, sink: this.id, epoch, counter: this.#counter++ });
    const name = `${prefix === '' ? '' : `${prefix}-`}part-${uid}${suffix}${format.extension}`;
    const key = [this.folder, partition, name].filter((each) => each !== '').join('/');
    const bytes = Buffer.byteLength(key);
    if (bytes > 1024) throw new PartitionTooLong(partition, bytes);
    return { uid, key };
  }
}
