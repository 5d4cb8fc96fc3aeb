import { InvalidOption } from '../../config/units.js';
import { MillraceError } from '../../errors.js';
import type { Attempt } from '../../flow/index.js';
import { typeName } from '../../formats/typeName.js';
import { deferredInFlow, isDeferred } from '../../flow/deferred.js';
import { isOrdinary } from '../twoPhase/places.js';
import { formatUid } from '../../path/uids.js';
import { PartitionTooLong } from './errors.js';
import { manifestFolder } from './fileManifest.js';
import type { SinkSettings } from './options.js';

/** Of a key. Bytes. */
const longestKey = 1024;

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

  /** Throws `InvalidOption` if a partition of this length, in bytes, makes a key too long. */
  checkLongest(partition: number): void {
    const uid = formatUid({ jobId: this.attempt.jobId, sink: this.id, epoch: 0, counter: 0 });
    const bytes = Buffer.byteLength(`${this.prefix}/${this.#nameOf(uid)}`) + partition;
    if (bytes <= longestKey) return;
    throw new InvalidOption(
      `fileSink '${this.id}': partitionBy`,
      partition,
      `at most ${partition - (bytes - longestKey)} bytes long`,
      `fileSink '${this.id}': partitionBy may make keys of ${bytes} bytes; stores allow ${longestKey}. Use fewer columns, a shorter folder or shorter names.`,
    );
  }

  #nameOf(uid: string): string {
    const { prefix, suffix, format } = this.settings;
    return `${prefix === '' ? '' : `${prefix}-`}part-${uid}${suffix}${format.extension}`;
  }

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
    if (!isOrdinary(partition) || /\p{Surrogate}/u.test(partition)) {
      throw new MillraceError(
        'InvalidPartition',
        `fileSink '${this.id}': partitionBy returned ${JSON.stringify(partition.slice(0, 200))}. A partition must be Unicode without NUL, and without '.' or '..' as a name.`,
      );
    }
    const { jobId, epoch } = this.attempt;
    const uid = formatUid({ jobId, sink: this.id, epoch, counter: this.#counter++ });
    const name = this.#nameOf(uid);
    const key = `${this.prefix}${partition}${partition === '' ? '' : '/'}${name}`;
    if (`${partition}/`.startsWith(manifestFolder)) {
      throw new MillraceError(
        'InvalidPartition',
        `fileSink '${this.id}': partitionBy returned ${JSON.stringify(partition.slice(0, 200))}. The folder ${manifestFolder} is for manifests: return another partition.`,
      );
    }
    if (this.reserved.some((folder) => key.startsWith(folder))) {
      throw new MillraceError(
        'InvalidPartition',
        `fileSink '${this.id}': partitionBy returned ${JSON.stringify(partition.slice(0, 200))}, which is in the checkpoint directory of the job. Return another partition, or give the sink a folder that does not contain checkpoints.dir.`,
      );
    }
    const bytes = Buffer.byteLength(key);
    if (bytes > longestKey) throw new PartitionTooLong(partition, bytes);
    return { uid, key };
  }
}
