import { MillraceError, sharedByCopies } from '../../errors.js';

/** What was given is not a resumable or committable that this version can read. Code `InvalidRecoverable`. */
export class InvalidRecoverable extends MillraceError {
  static {
    sharedByCopies(this, 'InvalidRecoverable');
  }

  override readonly name = 'InvalidRecoverable';

  constructor(what: string, why: string, advice = 'Pass the string exactly as it was returned.') {
    super('InvalidRecoverable', `${what} cannot be read: ${why}. ${advice}`);
  }
}
