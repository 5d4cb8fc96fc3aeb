/** How a run ends: its exit code, and what is no error of a store. */
import { CommanderError } from 'commander';
import { MillraceError } from '../errors.js';
import { PartlyFailed } from '../fs/operations/errors.js';

/** The exit codes. SIGINT and SIGTERM give those of a shell: 128 and the signal's number. */
export const exitCodes = {
  ok: 0,
  failure: 1,
  usage: 2,
  notFound: 3,
  SIGINT: 130,
  SIGTERM: 143,
} as const;

/** The command line asks for something that cannot be, or that must be more specific. Nothing was done. */
export class UsageError extends MillraceError {
  override readonly name = 'UsageError';

  constructor(message: string) {
    super('Usage', message);
  }
}

/** Someone wants no more: what is under way was aborted. */
export class Interrupted extends MillraceError {
  override readonly name = 'Interrupted';

  constructor(readonly signal: 'SIGINT' | 'SIGTERM') {
    super('Interrupted', `Stopped by ${signal}.`);
  }
}

/** The reader of the output has gone, as `head` does: no error. */
export class ReaderGone extends MillraceError {
  override readonly name = 'ReaderGone';

  constructor() {
    super('ReaderGone', 'The reader of the output has gone.');
  }
}

/** All of it was told already; only the exit code is left. */
export class Told extends MillraceError {
  override readonly name = 'Told';

  constructor(readonly exitCode: number) {
    super('Told', 'Some of it failed.');
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
  'SamePlace',
  'IntoItself',
  'Overlap',
  'OutsideTarget',
]);

/** What a run that ended with this error exits with. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof Told) return error.exitCode;
  if (error instanceof ReaderGone) return exitCodes.ok;
  if (error instanceof Interrupted) return exitCodes[error.signal];
  // Help and version end a run, too.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  if (error instanceof PartlyFailed) return sameFor(error.failures.map((failure) => failure.error));
  if (!(error instanceof MillraceError)) return exitCodes.failure;
  if (misuse.has(error.code)) return exitCodes.usage;
  return error.code === 'NotFound' ? exitCodes.notFound : exitCodes.failure;
}

/** What all of them would exit with, if that is one code. */
export function sameFor(errors: readonly unknown[]): number {
  const codes = new Set(errors.map(exitCodeOf));
  const [code] = codes;
  return code === undefined || codes.size > 1 ? exitCodes.failure : code;
}
