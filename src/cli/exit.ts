/** Exit codes, and the errors of the command itself. */
import { CommanderError } from 'commander';
import { MillraceError } from '../errors.js';
import { PartlyFailed } from '../fs/operations/errors.js';

/** The exit codes. For SIGINT and SIGTERM, as in a shell, 128 plus the signal's number. */
export const exitCodes = {
  ok: 0,
  failure: 1,
  usage: 2,
  notFound: 3,
  SIGINT: 130,
  SIGTERM: 143,
} as const;

/** The command line is invalid, or must be more specific. Nothing was done. */
export class UsageError extends MillraceError {
  override readonly name = 'UsageError';

  constructor(message: string) {
    super('Usage', message);
  }
}

/** A signal stopped the run; its requests were aborted. */
export class Interrupted extends MillraceError {
  override readonly name = 'Interrupted';

  constructor(readonly signal: 'SIGINT' | 'SIGTERM') {
    super('Interrupted', `Stopped by ${signal}.`);
  }
}

/** The reader of the output, such as `head`, has exited. This is not a failure. */
export class ReaderGone extends MillraceError {
  override readonly name = 'ReaderGone';

  constructor() {
    super('ReaderGone', 'The reader of the output has gone.');
  }
}

/** All errors were already reported; it only carries the exit code. */
export class Reported extends MillraceError {
  override readonly name = 'Reported';

  constructor(readonly exitCode: number) {
    super('Reported', 'Some of it failed.');
  }
}

const misuse: ReadonlySet<string> = new Set([
  'Usage',
  'InvalidUri',
  'UnknownScheme',
  'InvalidGlob',
  'InvalidOption',
  'InvalidConfig',
  'InvalidS3Options',
  'WholeBucket',
  'NotEmpty',
  'FolderNotEmpty',
  'SamePlace',
  'IntoItself',
  'Overlap',
  'OutsideTarget',
  'NotASavepoint',
]);

const missing: ReadonlySet<string> = new Set([
  'NotFound',
  'StateNotFound',
  'SavepointNotFound',
  'NoCheckpoint',
]);

/** The exit code of a run that ended with this error. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof Reported) return error.exitCode;
  if (error instanceof ReaderGone) return exitCodes.ok;
  if (error instanceof Interrupted) return exitCodes[error.signal];
  // Help and version end a run, too.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  if (error instanceof PartlyFailed) return sameFor(error.failures.map((failure) => failure.error));
  if (!(error instanceof MillraceError)) return exitCodes.failure;
  if (misuse.has(error.code)) return exitCodes.usage;
  return missing.has(error.code) ? exitCodes.notFound : exitCodes.failure;
}

/** The common exit code of several errors, else that of a failure. */
export function sameFor(errors: readonly unknown[]): number {
  const codes = new Set(errors.map(exitCodeOf));
  const [code] = codes;
  return code === undefined || codes.size > 1 ? exitCodes.failure : code;
}
