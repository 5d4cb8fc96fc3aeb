import { MillraceError, sharedByCopies } from '../errors.js';

/** The text is no URI of an object. Code `InvalidUri`. */
export class InvalidUri extends MillraceError {
  static {
    sharedByCopies(this, 'InvalidUri');
  }

  override readonly name = 'InvalidUri';

  constructor(message: string, cause?: unknown) {
    super('InvalidUri', message, cause === undefined ? {} : { cause });
  }
}

/** The scheme is none that millrace knows. Code `UnknownScheme`. */
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
 * - `InvalidPath`: the text is no path (half a surrogate pair), or the bucket has no name.
 * - `DifferentBuckets`: two paths that have to be of one bucket are not.
 * - `AbsoluteAndRelative`: no path leads from an absolute path to a relative one, or back.
 * - `IndexOutOfRange`: the path has no such name.
 * - `InvalidPattern`: neither `glob:…` nor `regex:…`, or a malformed regular expression.
 */
export type PathErrorCode =
  'InvalidPath' | 'DifferentBuckets' | 'AbsoluteAndRelative' | 'IndexOutOfRange' | 'InvalidPattern';

/** What a path cannot do. Its `code` is a {@link PathErrorCode}. */
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

/** The text without `user:secret@`, fit for messages and checkpoints. */
export function hideUserInfo(uri: string): string {
  const [, scheme = '', rest = ''] = /^([a-z][a-z0-9+.-]*:\/+)?([^]*)$/i.exec(uri) ?? [];
  const authority = rest.split('/', 1)[0] ?? '';
  if (authority.includes('@')) return scheme + rest.slice(authority.lastIndexOf('@') + 1);
  // No port behind the colon: a secret with a slash in it, which goes on to some later @.
  const secret = /:(?!\d*$)/.test(authority) && !authority.startsWith('[');
  return secret ? withoutUserInfo(uri) : uri;
}

/** For text that is malformed, where anything before an @ may be a secret: what is left cannot hold one. */
export function withoutUserInfo(text: string): string {
  const at = text.lastIndexOf('@');
  const [scheme = ''] = /^(?:s3[ax]?|file|memory):\/*/i.exec(text) ?? [];
  return at < scheme.length ? text : scheme + text.slice(at + 1);
}
