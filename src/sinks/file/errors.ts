import { MillraceError, sharedByCopies } from '../../errors.js';

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
