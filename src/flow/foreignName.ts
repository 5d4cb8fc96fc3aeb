import { MillraceError, sharedByCopies } from '../errors.js';

/**
 * A checkpoint names something that its job may not touch. Code `ForeignName`.
 *
 * The content of a bucket is not trusted: anyone who can write to a checkpoint directory could otherwise have the job read,
 * write and delete with rights of its own. `checkpoint/trust.ts` lists every name that is read, and who checks it.
 */
export class ForeignName extends MillraceError {
  static {
    sharedByCopies(this, 'ForeignName');
  }

  override readonly name = 'ForeignName';

  constructor(
    /** What names it: a manifest, or an operator's part of the checkpoint. */
    where: string,
    /** As the checkpoint has it, cut after 200 characters. */
    readonly named: string,
    /** Follows "which is". */
    why: string,
    advice: string,
  ) {
    super(
      'ForeignName',
      `${where} names ${JSON.stringify(shortened(named))}, which is ${why}. Nothing of it was touched. ${advice} If none of that explains it, somebody else has written to the checkpoint directory: find out who may, and start from a backup that you trust.`,
    );
  }
}

function shortened(named: string): string {
  return named.length > 200 ? `${named.slice(0, 200)}…` : named;
}
