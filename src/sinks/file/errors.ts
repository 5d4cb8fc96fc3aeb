import { MillraceError, sharedByCopies } from '../../errors.js';

/** A foreign object has the key of a committed file. Code `ForeignObject`. */
export class ForeignObject extends MillraceError {
  static {
    sharedByCopies(this, 'ForeignObject');
  }

  override readonly name = 'ForeignObject';

  constructor(
    readonly uri: string,
    why: string,
    cause?: unknown,
  ) {
    super(
      'ForeignObject',
      `${uri} is not the file that this job committed there: ${why}. Move that object away, keep other writers out of the sink's prefix, and start the job again.`,
      { cause },
    );
  }
}

/** The upload of a committed file is gone, and its object does not exist. Code `LostUpload`. */
export class LostUpload extends MillraceError {
  static {
    sharedByCopies(this, 'LostUpload');
  }

  override readonly name = 'LostUpload';

  constructor(
    readonly uri: string,
    file: Readonly<{ uploadId: string | undefined; checkpoint: number; size: number; records: number }>,
    cause?: unknown,
  ) {
    super(
      'LostUpload',
      `${uri}: upload ${file.uploadId ?? '(none)'} of checkpoint ${file.checkpoint} (${file.size} bytes, ${file.records} records) is gone, and the object does not exist. ` +
        'If a lifecycle rule aborted it, set AbortIncompleteMultipartUpload to more days than the job is ever down. ' +
        "If a consumer has already removed the object, run with onMissingCommitted: 'accept'.",
      { cause },
    );
  }
}

/** A partition results in a key that is too long. Code `PartitionTooLong`. */
export class PartitionTooLong extends MillraceError {
  static {
    sharedByCopies(this, 'PartitionTooLong');
  }

  override readonly name = 'PartitionTooLong';

  constructor(
    readonly partition: string,
    bytes: number,
  ) {
    super(
      'PartitionTooLong',
      `The partition '${partition.slice(0, 80)}…' makes a key of ${bytes} bytes; stores allow 1,024. Return a shorter string from partitionBy, such as a hash.`,
    );
  }
}
