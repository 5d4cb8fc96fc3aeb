import { isRetryable, MillraceError, type MillraceErrorOptions, sharedByCopies } from '../errors.js';

/**
 * The codes of store errors. `Throttled`, `Unavailable`, `Conflict` and `Integrity` are retryable; so is `Expired`, once the
 * credentials are renewed.
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
  | 'InvalidRequest'
  | 'NoAnswer';

const retryable: ReadonlySet<StoreErrorCode> = new Set([
  'Throttled',
  'Unavailable',
  'Conflict',
  'Expired',
  'Integrity',
]);

export interface StoreErrorOptions extends Omit<MillraceErrorOptions, 'retryable'> {
  /** The server's own code, such as `NoSuchBucket`. */
  readonly serverCode?: string;
  /** The HTTP status, if there was one. */
  readonly status?: number;
  /** The `Retry-After` of a server that throttles. Milliseconds. */
  readonly retryAfter?: number;
  /** The request has certainly changed nothing, and will not. */
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
  /** Whether the request has certainly changed nothing, so its outcome is not in doubt although the error is retryable. */
  readonly unchanged: boolean;

  constructor(code: StoreErrorCode, message: string, options: StoreErrorOptions = {}) {
    super(code, message, { cause: options.cause, retryable: retryable.has(code) });
    this.serverCode = options.serverCode;
    this.status = options.status;
    this.retryAfter = options.retryAfter;
    this.unchanged = options.unchanged ?? false;
  }
}

/** Whether `error` is a `StoreError` with one of these codes, or with any if none is given. */
export function isStoreError(error: unknown, ...codes: readonly StoreErrorCode[]): error is StoreError {
  return error instanceof StoreError && (codes.length === 0 || codes.includes(error.code));
}

/** Whether a failed request may have taken effect: there was no response, or an implausible success. */
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

/** Whether credentials are missing or wrong, so advice about permissions would mislead. */
export function hasNoIdentity(error: unknown): boolean {
  return isStoreError(error, 'PermissionDenied') && aboutCredentials.has(error.serverCode);
}
