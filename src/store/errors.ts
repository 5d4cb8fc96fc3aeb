import { isRetryable, MillraceError, type MillraceErrorOptions, sharedByCopies } from '../errors.js';

/**
 * All that can go wrong at a store. `Throttled`, `Unavailable` and `Conflict` are worth a retry; so is `Expired`, once
 * the credentials are fresh.
 */
export type StoreErrorCode =
  | 'NotFound'
  | 'AlreadyExists'
  | 'PreconditionFailed'
  | 'Conflict'
  | 'NotModified'
  | 'PermissionDenied'
  | 'Throttled'
  | 'Expired'
  | 'NotSupported'
  | 'Integrity'
  | 'Unavailable'
  | 'InvalidPart'
  | 'TooSmall'
  | 'InvalidRequest';

const retryable: ReadonlySet<StoreErrorCode> = new Set([
  'Throttled',
  'Unavailable',
  'Conflict',
  'Expired',
  'Integrity',
]);

export interface StoreErrorOptions extends Omit<MillraceErrorOptions, 'retryable'> {
  /** What the server itself called it, such as `NoSuchBucket`. */
  readonly serverCode?: string;
  /** The HTTP status, where there was one. */
  readonly status?: number;
  /** For how long a throttling server asked to be left alone (`Retry-After`). Milliseconds. */
  readonly retryAfter?: number;
  /** Nothing was changed, nor ever will be by this request. */
  readonly unchanged?: boolean;
}

/** The error of every {@link ObjectStore} method; the set of codes is closed. */
export class StoreError extends MillraceError {
  static {
    sharedByCopies(this, 'StoreError');
  }

  override readonly name = 'StoreError';
  declare readonly code: StoreErrorCode;
  readonly serverCode: string | undefined;
  readonly status: number | undefined;
  /** Milliseconds. */
  readonly retryAfter: number | undefined;
  /** Whether it is certain that nothing was changed, although the error may pass: no answer is in doubt then. */
  readonly unchanged: boolean;

  constructor(code: StoreErrorCode, message: string, options: StoreErrorOptions = {}) {
    super(code, message, { cause: options.cause, retryable: retryable.has(code) });
    this.serverCode = options.serverCode;
    this.status = options.status;
    this.retryAfter = options.retryAfter;
    this.unchanged = options.unchanged ?? false;
  }
}

/** Whether `error` is a store's, of one of these codes. */
export function isStoreError(error: unknown, ...codes: readonly StoreErrorCode[]): error is StoreError {
  return error instanceof StoreError && (codes.length === 0 || codes.includes(error.code));
}

/** Whether a request may have taken effect although it failed: no answer came, or a success that is not believed. */
export function isInDoubt(error: unknown): boolean {
  if (isStoreError(error) && error.unchanged) return false;
  if (isRetryable(error)) return true;
  return isStoreError(error) && error.status !== undefined && error.status >= 200 && error.status < 300;
}

const aboutCredentials: ReadonlySet<string | undefined> = new Set([
  'CredentialsProviderError',
  'InvalidAccessKeyId',
  'InvalidClientTokenId',
  'InvalidToken',
  'SignatureDoesNotMatch',
  'UnrecognizedClientException',
]);

/** Whether there are no credentials, or wrong ones: then no right that they lack is to be told. */
export function hasNoIdentity(error: unknown): boolean {
  return isStoreError(error, 'PermissionDenied') && aboutCredentials.has(error.serverCode);
}
