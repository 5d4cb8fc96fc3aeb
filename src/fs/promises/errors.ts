import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { MillraceError, sharedByCopies } from '../../errors.js';
import { hideUserInfo, InvalidUri, UnknownScheme } from '../../path/index.js';
import { isStoreError, type StoreErrorCode } from '../../store/errors.js';
import { OperationError, PartlyFailed, type OperationErrorCode } from '../operations/index.js';

/** A call, as shown in errors. */
export interface Call {
  readonly syscall: string;
  readonly path?: string;
  readonly dest?: string;
}

const texts = {
  EACCES: 'permission denied',
  EAGAIN: 'resource temporarily unavailable',
  EBADF: 'bad file descriptor',
  EBUSY: 'resource busy or locked',
  EEXIST: 'file already exists',
  EINVAL: 'invalid argument',
  EIO: 'i/o error',
  EISDIR: 'illegal operation on a directory',
  ENOENT: 'no such file or directory',
  ENOTDIR: 'not a directory',
  ENOTEMPTY: 'directory not empty',
  ENOTSUP: 'operation not supported',
  EPERM: 'operation not permitted',
  ESTALE: 'the object was replaced meanwhile',
} as const;

export type ErrnoCode = keyof typeof texts;

/**
 * An error with Node's properties: `code` (`ENOENT`, …), `errno`, `syscall`, `path`, `dest`. The store's own error is the
 * `cause`. `ENOTSUP`: objects do not support it; `ESTALE`: the object was replaced while it was read or written.
 */
export class FsError extends MillraceError implements NodeJS.ErrnoException {
  static {
    sharedByCopies(this, 'FsError');
  }

  override readonly name = 'FsError';
  readonly errno: number;
  readonly syscall: string;
  readonly path?: string;
  readonly dest?: string;

  constructor(code: ErrnoCode, { syscall, path, dest }: Call, cause?: unknown, hint?: string) {
    const [from, to] = [path, dest].map((each) => (each === undefined ? undefined : hideUserInfo(each)));
    const at = `${from === undefined ? '' : ` '${from}'`}${to === undefined ? '' : ` -> '${to}'`}`;
    super(code, `${code}: ${texts[code]}, ${syscall}${at}${hint === undefined ? '' : `. ${hint}`}`, {
      ...(cause === undefined ? {} : { cause }),
      retryable: cause instanceof MillraceError && cause.retryable,
    });
    this.errno = -constants.errno[code];
    this.syscall = syscall;
    if (from !== undefined) this.path = from;
    if (to !== undefined) this.dest = to;
  }
}

/** The error of a function that objects do not support. */
export function notSupported(call: Call, hint: string): FsError {
  return new FsError('ENOTSUP', call, undefined, hint);
}

/** Node's errors for invalid arguments: `ERR_…`. */
export function argumentError(code: string, message: string): Error {
  return Object.assign(new TypeError(message), { code });
}

/** A Node `SystemError`, with its own code. */
export function systemError(code: string, errno: ErrnoCode, what: string, call: Call): Error {
  const { syscall, path, dest } = call;
  const number = -constants.errno[errno];
  const shown = path === undefined ? '' : ` ${hideUserInfo(path)}`;
  return Object.assign(
    new Error(`${what}: ${syscall} returned ${getSystemErrorName(number)} (${texts[errno]})${shown}`),
    { name: 'SystemError', code, errno: -number, syscall, path, ...(dest === undefined ? {} : { dest }) },
  );
}

const storeCodes: Readonly<Record<StoreErrorCode, ErrnoCode>> = {
  NotFound: 'ENOENT',
  AlreadyExists: 'EEXIST',
  PreconditionFailed: 'ESTALE',
  Conflict: 'EBUSY',
  NotModified: 'EINVAL',
  PermissionDenied: 'EACCES',
  Throttled: 'EAGAIN',
  Expired: 'EACCES',
  NotSupported: 'ENOTSUP',
  Integrity: 'EIO',
  Unavailable: 'EIO',
  InvalidPart: 'EIO',
  TooSmall: 'EIO',
  InvalidRequest: 'EINVAL',
  NoAnswer: 'EIO',
};

const operationCodes: Readonly<Partial<Record<OperationErrorCode, ErrnoCode>>> = {
  NotEmpty: 'ENOTEMPTY',
  WholeBucket: 'EPERM',
  NotVerified: 'ESTALE',
};

/** Translates the error of a call to an `FsError`; errors of other libraries are returned as they are. */
export function toFsError(error: unknown, call: Call): unknown {
  if (error instanceof FsError) return error;
  const code = codeOf(error);
  return code === undefined ? error : new FsError(code, call, error);
}

function codeOf(error: unknown): ErrnoCode | undefined {
  if (isStoreError(error)) return storeCodes[error.code];
  if (error instanceof PartlyFailed) return codeOf(error.failures[0]?.error) ?? 'EIO';
  if (error instanceof OperationError) return operationCodes[error.code] ?? 'EINVAL';
  if (error instanceof InvalidUri || error instanceof UnknownScheme) return 'EINVAL';
  if (error instanceof MillraceError && /^(Reader|Writer)Closed$/.test(error.code)) return 'EBADF';
  return undefined;
}
