import { MillraceError, sharedByCopies } from '../errors.js';

/** The string is not a valid URI of an object. Code `InvalidUri`. */
export class InvalidUri extends MillraceError {
  static {
    sharedByCopies(this, 'InvalidUri');
  }

  override readonly name = 'InvalidUri';

  constructor(message: string, cause?: unknown) {
    super('InvalidUri', message, cause === undefined ? {} : { cause });
  }
}

/** The scheme is not supported. Code `UnknownScheme`. */
export class UnknownScheme extends MillraceError {
  static {
    sharedByCopies(this, 'UnknownScheme');
  }

  override readonly name = 'UnknownScheme';

  constructor(scheme: string) {
    super('UnknownScheme', `Unknown scheme "${scheme}:". Use s3://, s3a://, s3x://, file:// or memory://.`);
  }
}

/**
 * - `InvalidPath`: the string is not a path (half a surrogate pair), or the bucket name is empty.
 * - `DifferentBuckets`: two paths are in different buckets.
 * - `AbsoluteAndRelative`: one path is absolute, the other relative.
 * - `IndexOutOfRange`: the path has fewer names.
 * - `InvalidPattern`: neither `glob:…` nor `regex:…`, or a malformed regular expression.
 */
export type PathErrorCode =
  'InvalidPath' | 'DifferentBuckets' | 'AbsoluteAndRelative' | 'IndexOutOfRange' | 'InvalidPattern';

/** An error of a path operation. Its `code` is a {@link PathErrorCode}. */
export class PathError extends MillraceError {
  static {
    sharedByCopies(this, 'PathError');
  }

  override readonly name = 'PathError';
  declare readonly code: PathErrorCode;

  constructor(code: PathErrorCode, message: string, cause?: unknown) {
    super(code, message, cause === undefined ? {} : { cause });
  }
}

/** Removes `user:secret@`, for messages and checkpoints. */
export function hideUserInfo(uri: string): string {
  const [, scheme = '', rest = ''] = /^([a-z][a-z0-9+.-]*:\/+)?([^]*)$/i.exec(uri) ?? [];
  const authority = rest.split('/', 1)[0] ?? '';
  if (authority.includes('@')) return scheme + rest.slice(authority.lastIndexOf('@') + 1);
  // No port after the colon: a secret that contains a slash, and ends at a later @.
  const secret = /:(?!\d*$)/.test(authority) && !authority.startsWith('[');
  return secret ? withoutUserInfo(uri) : uri;
}

/** For malformed URIs, where everything before an @ may be a secret. */
export function withoutUserInfo(text: string): string {
  const at = text.lastIndexOf('@');
  const [scheme = ''] = /^(?:s3[ax]?|file|memory):\/*/i.exec(text) ?? [];
  return at < scheme.length ? text : scheme + text.slice(at + 1);
}
