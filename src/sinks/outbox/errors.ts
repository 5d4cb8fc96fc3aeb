import { MillraceError, sharedByCopies } from '../../errors.js';

/** Errors of targets: what `publish` fails with decides what happens to the batch. */

/** The target may take the batch later: it did not answer, is overloaded, or is down. Code `PublishFailed`. Retryable. */
export class PublishFailed extends MillraceError {
  static {
    sharedByCopies(this, 'PublishFailed');
  }

  override readonly name = 'PublishFailed';
  /** The next try comes no earlier. Milliseconds. */
  readonly retryAfter: number | undefined;

  constructor(message: string, options: { readonly cause?: unknown; readonly retryAfter?: number } = {}) {
    super('PublishFailed', message, {
      retryable: true,
      ...('cause' in options && { cause: options.cause }),
    });
    this.retryAfter = options.retryAfter;
  }
}

/** The target refuses this batch, and would refuse it again: `onPoison` decides. Code `PoisonBatch`. */
export class PoisonBatch extends MillraceError {
  static {
    sharedByCopies(this, 'PoisonBatch');
  }

  override readonly name = 'PoisonBatch';

  constructor(message: string, options: { readonly cause?: unknown } = {}) {
    super('PoisonBatch', message, options);
  }
}
