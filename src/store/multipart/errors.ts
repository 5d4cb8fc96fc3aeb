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
    advice = 'Move that object away, keep other writers out of its folder, and start again.',
  ) {
    super('ForeignObject', `${uri} is not the file that was committed there: ${why}. ${advice}`, { cause });
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
    file: Readonly<{ uploadId: string | undefined; checkpoint?: number; size: number; records?: number }>,
    cause?: unknown,
  ) {
    const { uploadId = '(none)', checkpoint, size, records } = file;
    const of = checkpoint === undefined ? '' : ` of checkpoint ${checkpoint}`;
    const content = records === undefined ? `${size} bytes` : `${size} bytes, ${records} records`;
    super(
      'LostUpload',
      `${uri}: upload ${uploadId}${of} (${content}) is gone, and the object does not exist. ` +
        'If a lifecycle rule aborted it, set AbortIncompleteMultipartUpload to more days than a commit can take, downtime included. ' +
        "If a consumer has already removed the object, use onMissingCommitted: 'accept'.",
      { cause },
    );
  }
}
