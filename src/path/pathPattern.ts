/** Patterns for whole paths, in the syntax of java.nio's PathMatcher. */
import { PathError } from './errors.js';
import { compileGlob } from './glob.js';

/** What {@link S3Path.matcher} asks. Errors: `InvalidPattern`, `InvalidGlob`. */
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
    // By itself first: ")|(" is malformed, though not between parentheses.
    const { source: sound } = new RegExp(source, flags);
    // Start and end of the text, whatever the flags say about lines.
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
