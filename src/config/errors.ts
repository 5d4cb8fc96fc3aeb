import { MillraceError, sharedByCopies } from '../errors.js';

/** What is wrong with one key. */
export interface ConfigProblem {
  readonly code:
    | 'UnknownKey'
    | 'InvalidValue'
    | 'SaidTwice'
    | 'NotHere'
    | 'NotAvailable'
    | 'Incomplete'
    | 'Contradiction'
    | 'InvalidFile';
  /** The flat key; of `InvalidFile`, the file. */
  readonly key: string;
  /** Names key, value (never a secret), rule and where it was set. */
  readonly message: string;
}

/**
 * The configuration is wrong. The message lists everything that is, not only the first; `problems` has it for programs.
 * Code `InvalidConfig`.
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
