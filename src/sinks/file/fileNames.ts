import { MillraceError } from '../../errors.js';
import type { Attempt } from '../../flow/index.js';
import { typeName } from '../../formats/typeName.js';
import { deferredInFlow, isDeferred } from '../../flow/deferred.js';
import { PartitionTooLong } from './errors.js';
import { isOrdinary } from './places.js';
import type { SinkSettings } from './options.js';
import { formatUid } from './uids.js';

/** Names the files of one sink in one attempt: `<folder>/<partition>/<prefix->part-<uid><suffix><extension>`. */
export class FileNames {
  #counter = 0;
  /** Key prefixes that no file's key may start with. */
  reserved: readonly string[] = [];

  constructor(
    private readonly id: string,
    private readonly attempt: Attempt,
    /** Empty, or ends in a slash. */
    private readonly prefix: string,
    private readonly settings: Pick<SinkSettings<never>, 'prefix' | 'suffix' | 'format'>,
  ) {}

  /** The next file's uid and key. Throws `InvalidPartition`, `PartitionTooLong`. */
  next(partition: string): { readonly uid: string; readonly key: string } {
    if (isDeferred(partition))
      throw deferredInFlow(`partitionBy of fileSink('${this.id}') returned`, partition);
    if (typeof partition !== 'string') {
      throw new MillraceError(
        'InvalidPartition',
        `fileSink '${this.id}': partitionBy returned a value of type ${typeName(partition)}. Return a string; '' is the sink's own folder.`,
      );
    }
    if (!isOrdinary(partition)) {
      throw new MillraceError(
        'InvalidPartition',
        `fileSink '${this.id}': partitionBy returned ${JSON.stringify(partition.slice(0, 200))}. A partition must not contain NUL, or '.' or '..' as a name.`,
      );
    }
    const { prefix, suffix, format } = this.settings;
    const { jobId, epoch } = this.attempt;
    const uid = formatUid({ jobId, sink: this.id, epoch, counter: this.#counter++ });
    const name = `${prefix === '' ? '' : `${prefix}-`}part-${uid}${suffix}${format.extension}`;
    const key = `${this.prefix}${partition}${partition === '' ? '' : '/'}${name}`;
    if (this.reserved.some((folder) => key.startsWith(folder))) {
      throw new MillraceError(
        'InvalidPartition',
        `fileSink '${this.id}': partitionBy returned ${JSON.stringify(partition.slice(0, 200))}, which is in the checkpoint directory of the job. Return another partition, or give the sink a folder that does not contain checkpoints.dir.`,
      );
    }
    const bytes = Buffer.byteLength(key);
    if (bytes > 1024) throw new PartitionTooLong(partition, bytes);
    return { uid, key };
  }
}
