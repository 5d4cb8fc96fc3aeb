import { MillraceError, sharedByCopies } from '../errors.js';
import type { Json } from '../flow/index.js';
import { isStoreError } from '../store/errors.js';

/**
 * Errors of the input itself. None is retryable, because a restart would find it again. The position in the checkpoint
 * stays valid, so the job continues there once the cause is fixed.
 */

/** An object was replaced after it had been listed or partly read. */
export class ObjectChanged extends MillraceError {
  static {
    sharedByCopies(this, 'ObjectChanged');
  }

  override readonly name = 'ObjectChanged';

  constructor(
    /** URI of the object. */
    readonly object: string,
    cause: unknown,
    advice = 'Input objects must not change: restore the version that the job started with, or write new versions under new names and start the job afresh.',
    what = 'was replaced while it was being read',
  ) {
    super('ObjectChanged', `${object} ${what}. ${advice}`, { cause });
  }
}

/** An object was deleted after it had been listed or partly read. */
export class ObjectVanished extends MillraceError {
  static {
    sharedByCopies(this, 'ObjectVanished');
  }

  override readonly name = 'ObjectVanished';

  constructor(
    /** URI of the object. */
    readonly object: string,
    cause: unknown,
  ) {
    super(
      'ObjectVanished',
      `${object} was deleted before it was read to its end. Restore this version of it, and start the job again; or set \`vanished\` of the source to 'skip', with which it continues without the object. Delete input only when the job's checkpoints are past it.`,
      { cause },
    );
  }
}

/** There is nothing to list: the bucket, or the directory of a `file://` URI, does not exist. */
export class MissingBucket extends MillraceError {
  static {
    sharedByCopies(this, 'MissingBucket');
  }

  override readonly name = 'MissingBucket';

  constructor(
    /** URI of the store. */
    readonly bucket: string,
    cause: unknown,
  ) {
    super(
      'MissingBucket',
      `${bucket} does not exist. Create it, or correct the URI; jobs never create buckets.`,
      {
        cause,
      },
    );
  }
}

/** A listing is not in the order of the keys' UTF-8 bytes, repeats keys, or does not end. */
export class UnorderedListing extends MillraceError {
  static {
    sharedByCopies(this, 'UnorderedListing');
  }

  override readonly name = 'UnorderedListing';

  constructor(
    /** URI of what was listed. */
    readonly uri: string,
    reason: string,
  ) {
    super(
      'UnorderedListing',
      `The listing of ${uri} is out of order: ${reason}. A source cannot track there which objects it has read. Use a store that lists as S3 does.`,
    );
  }
}

/** An entry of a local input directory is not a file, or may not be accessed. */
export class UnreadableInput extends MillraceError {
  static {
    sharedByCopies(this, 'UnreadableInput');
  }

  override readonly name = 'UnreadableInput';

  constructor(
    /** Its URI, with U+FFFD for bytes that are not UTF-8. */
    readonly uri: string,
    cause: Error,
  ) {
    super(
      'UnreadableInput',
      `${uri} cannot be read: ${cause.message} Remove it, or set unreadable: 'skip', or links: 'skip' for links.`,
      { cause },
    );
  }
}

/** A URI or glob of a source matches no object. */
export class NoInput extends MillraceError {
  static {
    sharedByCopies(this, 'NoInput');
  }

  override readonly name = 'NoInput';

  constructor(
    /** The URI as given, without user info. */
    readonly uri: string,
  ) {
    super(
      'NoInput',
      `No object matches ${uri}. Correct the URI; set hidden: true if names start with "." or "_"; or set allowEmpty: true if the input may be empty.`,
    );
  }
}

/** A continuous source has read more recent objects than a checkpoint may hold. */
export class HorizonFull extends MillraceError {
  static {
    sharedByCopies(this, 'HorizonFull');
  }

  override readonly name = 'HorizonFull';

  constructor(
    /** The source's id. */
    readonly source: string,
    /** The maximum number of objects. */
    readonly objects: number,
    longestUpload: number,
  ) {
    super(
      'HorizonFull',
      `Source '${source}' has read more than ${objects} objects that are younger than discover.longestUpload (${Math.round(longestUpload / 60_000)} min), and every checkpoint holds each of them. Shorten longestUpload, if no upload takes that long, or write fewer and larger objects.`,
    );
  }
}

/** A source was polled again and again without returning records, waiting or ending: a defect of its reader. */
export class SourceStuck extends MillraceError {
  static {
    sharedByCopies(this, 'SourceStuck');
  }

  override readonly name = 'SourceStuck';

  constructor(
    /** The source's id. */
    readonly source: string,
    description: string,
    /** Its position as in a checkpoint, including the object's key. */
    readonly position: Json,
    polls: number,
  ) {
    super(
      'SourceStuck',
      `Source '${source}' (${description}) makes no progress at ${JSON.stringify(position)}: it was polled ${polls} times without a record, a byte, or a change of position. Its reader must return 'wait' until there is more, and 'end' at the end. In a source of millrace this is a bug: report it with the object at that position.`,
    );
  }
}

/** A record could not be parsed, and the policy is `fail`. */
export class MalformedRecord extends MillraceError {
  static {
    sharedByCopies(this, 'MalformedRecord');
  }

  override readonly name = 'MalformedRecord';

  constructor(
    /** URI of the object. */
    readonly object: string,
    /** Byte offset in the (decompressed) object. */
    readonly offset: number,
    /** 1-based; 0 where it is not known, as in `DeadLetter`. */
    readonly line: number,
    /** The record's beginning. */
    readonly excerpt: string,
    readonly reason: string,
  ) {
    super(
      'MalformedRecord',
      `${object}, byte ${offset}${line === 0 ? '' : `, line ${line}`}: ${reason}: ${JSON.stringify(excerpt)}. Fix the object's producer, or set onMalformed to 'skip' or deadLetter(…).`,
    );
  }
}

/** The error of the input for a store's error about an object that is pinned by its ETag. */
export function inputError(uri: string, error: unknown): unknown {
  if (isStoreError(error, 'PreconditionFailed')) return new ObjectChanged(uri, error);
  if (isStoreError(error, 'NotFound')) return new ObjectVanished(uri, error);
  return error;
}
