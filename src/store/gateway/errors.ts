import { isStoreError, type StoreError, type StoreErrorCode } from '../errors.js';

/** An error response of S3. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    /** Additional headers of the response. */
    readonly headers: Readonly<Record<string, string>> = {},
    /** Additional elements of the document. */
    readonly elements: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

const answers: Readonly<Record<StoreErrorCode, readonly [status: number, code: string]>> = {
  NotFound: [404, 'NoSuchKey'],
  AlreadyExists: [412, 'PreconditionFailed'],
  PreconditionFailed: [412, 'PreconditionFailed'],
  Conflict: [409, 'ConditionalRequestConflict'],
  NotModified: [304, 'NotModified'],
  PermissionDenied: [403, 'AccessDenied'],
  Throttled: [503, 'SlowDown'],
  Expired: [400, 'ExpiredToken'],
  NotSupported: [501, 'NotImplemented'],
  Integrity: [500, 'InternalError'],
  Unavailable: [503, 'ServiceUnavailable'],
  InvalidPart: [400, 'InvalidPart'],
  TooSmall: [400, 'EntityTooSmall'],
  InvalidRequest: [400, 'InvalidRequest'],
  NoAnswer: [500, 'InternalError'],
};

/** Translates a store's error to S3's; `missing` is the code for `NotFound`. */
export function toGatewayError(error: unknown, missing = 'NoSuchKey'): GatewayError {
  if (error instanceof GatewayError) return error;
  if (!isStoreError(error))
    return new GatewayError(500, 'InternalError', 'We encountered an internal error. Please try again.');
  return new GatewayError(...answerTo(error, missing), error.message);
}

function answerTo(error: StoreError, missing: string): readonly [number, string] {
  if (error.code !== 'NotFound') return answers[error.code];
  return [
    404,
    error.serverCode === 'NoSuchBucket' || error.serverCode === 'NoSuchUpload' ? error.serverCode : missing,
  ];
}

export function notImplemented(what: string): GatewayError {
  return new GatewayError(501, 'NotImplemented', `This gateway does not implement ${what}.`);
}

export function invalidArgument(message: string): GatewayError {
  return new GatewayError(400, 'InvalidArgument', message);
}
