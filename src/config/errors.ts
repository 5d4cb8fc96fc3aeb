import { MillraceError, sharedByCopies } from '../errors.js';

/** A problem with one key. */
export interface ConfigProblem {
  readonly code:
    | 'UnknownKey'
    | 'InvalidValue'
    | 'Duplicate'
    | 'OnlyInCode'
    | 'Incomplete'
    | 'Contradiction'
    | 'InvalidFile';
  /** The flat key; for `InvalidFile`, the file. */
  readonly key: string;
  /** Contains the key, the value (never a secret), the rule and the origin. */
  readonly message: string;
}

/**
 * The configuration is invalid. The message lists all problems; `problems` has them for programs. Code `InvalidConfig`.
 */
export class ConfigError extends MillraceError {
  static {
    sharedByCopies(this, 'ConfigError');
  }

  override readonly name = 'ConfigError';

  constructor(readonly problems: readonly ConfigProblem[]) {
    const [first] = problems;
    super(
      'InvalidConfig',
      problems.length === 1 && first !== undefined
        ? first.message
        : `${problems.length} problems with the configuration:\n${problems.map(({ message }) => `- ${message}`).join('\n')}`,
    );
  }
}
