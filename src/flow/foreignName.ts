import { MillraceError, sharedByCopies } from '../errors.js';

/**
 * A checkpoint names something that its job must not access. Code `ForeignName`.
 *
 * The content of a bucket is not trusted. Otherwise, anyone who can write to a checkpoint directory could make the
 * job read, write and delete with its own rights. `checkpoint/trust.ts` lists every name that is read, and where it
 * is checked.
 */
export class ForeignName extends MillraceError {
  static {
    sharedByCopies(this, 'ForeignName');
  }

  override readonly name = 'ForeignName';

  constructor(
    /** Where the name is: a manifest, or an operator's part of the checkpoint. */
    where: string,
    /** The name in the checkpoint, truncated to 200 characters. */
    readonly named: string,
    /** Follows "which is". */
    why: string,
    advice: string,
  ) {
    super(
      'ForeignName',
      `${where} names ${JSON.stringify(shortened(named))}, which is ${why}. It was not touched. ${advice} If that does not explain it, somebody else has written to the checkpoint directory: find out who has access, and start from a backup that you trust.`,
    );
  }
}

function shortened(named: string): string {
  return named.length > 200 ? `${named.slice(0, 200)}…` : named;
}
