/** Patterns for whole paths, in the syntax of java.nio's PathMatcher. */
import { PathError } from './errors.js';
import { compileGlob } from './glob.js';

/** Compiles a pattern of {@link S3Path.matcher}. Errors: `InvalidPattern`, `InvalidGlob`. */
export function compilePattern(pattern: string | RegExp): (text: string) => boolean {
  if (typeof pattern !== 'string') return whole(pattern.source, pattern.flags);
  const [, syntax = '', rest = ''] = /^(glob|regex):([^]*)$/i.exec(pattern) ?? [];
  switch (syntax.toLowerCase()) {
    case 'glob': {
      const glob = compileGlob(rest, { flavor: 'path' });
      return (text) => glob.matches(text);
    }
    case 'regex':
      return whole(rest, 'u');
    default:
      throw new PathError(
        'InvalidPattern',
        `The pattern "${pattern}" has no syntax. Write "glob:…" or "regex:…", or pass a regular expression.`,
      );
  }
}

function whole(source: string, flags: string): (text: string) => boolean {
  try {
    // Compile it alone first: ")|(" is malformed, but valid within parentheses.
    const { source: sound } = new RegExp(source, flags);
    // Match the whole string, whatever the m flag.
    const regex = new RegExp(`(?<![^])(?:${sound})(?![^])`, flags.replace(/[gy]/g, ''));
    return (text) => regex.test(text);
  } catch (cause) {
    throw new PathError(
      'InvalidPattern',
      `The regular expression "${source}" is malformed. Its syntax is JavaScript's, with the u flag.`,
      cause,
    );
  }
}
