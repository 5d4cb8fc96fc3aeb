import { MillraceError, sharedByCopies } from '../errors.js';
import type { Json } from '../flow/index.js';
import { isStoreError } from '../store/errors.js';

/**
 * What can be wrong with the input itself. None of it is retryable: a restart would find it again. The position that a
 * checkpoint holds stays valid, so after the cause is fixed the job continues where it was.
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
  ) {
    super(
      'ObjectChanged',
      `${object} was replaced while it was being read. Input objects must not change: put the version back that the job started with, or write new versions under new names and start the job afresh.`,
      { cause },
    );
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
      `${object} was deleted before it had been read to its end. Put it back, and delete input only when the job's checkpoints are past it.`,
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

/** A store does not list keys in the order of their UTF-8 bytes, each once, and to an end. */
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
      `The listing of ${uri} is out of order: ${reason}. A source cannot tell what it has read there. Use a store that lists as S3 does.`,
    );
  }
}

/** Something in a local directory that a source is to read, and that is no file or may not be looked at. */
export class UnreadableInput extends MillraceError {
  static {
    sharedByCopies(this, 'UnreadableInput');
  }

  override readonly name = 'UnreadableInput';

  constructor(
    /** Its URI, with U+FFFD for what is not UTF-8. */
    readonly uri: string,
    cause: Error,
  ) {
    super(
      'UnreadableInput',
      `${uri} cannot be read: ${cause.message} Take it away, or set unreadable: 'skip', or links: 'skip' for links.`,
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
      `No object matches ${uri}. Correct the URI; set hidden: true if names start with "." or "_"; or allowEmpty: true if no input is fine.`,
    );
  }
}

/** A source is asked for records again and again and neither gives any, nor waits, nor ends: a defect of its reader. */
export class SourceStuck extends MillraceError {
  static {
    sharedByCopies(this, 'SourceStuck');
  }

  override readonly name = 'SourceStuck';

  constructor(
    /** The source's id. */
    readonly source: string,
    description: string,
    /** Where it is: what a checkpoint would hold, the object's key included. */
    readonly position: Json,
    polls: number,
  ) {
    super(
      'SourceStuck',
      `Source '${source}' (${description}) makes no progress at ${JSON.stringify(position)}: it was polled ${polls} times without a record, a byte, or a change of position. Its reader must answer 'wait' until there is more, and 'end' at the end. For a source of millrace this is a bug: report it with the object it is at.`,
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
    /** 1-based. */
    readonly line: number,
    /** The record's beginning. */
    readonly excerpt: string,
    readonly reason: string,
  ) {
    super(
      'MalformedRecord',
      `${object}, byte ${offset}, line ${line}: ${reason}: ${JSON.stringify(excerpt)}. Fix the object's producer, or set onMalformed to 'skip' or deadLetter(…).`,
    );
  }
}

/** What a store's refusal means for an object that is pinned by its ETag. */
export function inputError(uri: string, error: unknown): unknown {
  if (isStoreError(error, 'PreconditionFailed')) return new ObjectChanged(uri, error);
  if (isStoreError(error, 'NotFound')) return new ObjectVanished(uri, error);
  return error;
}
