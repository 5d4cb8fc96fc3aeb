import { CommanderError } from 'commander';
import { MillraceError } from '../../errors.js';
import { PartlyFailed, type Failure } from '../../fs/operations/errors.js';
import { ConfigError } from '../../config/errors.js';
import { exitCodeOf } from '../exit.js';
import { printable } from './text.js';

/** The maximum number of failures shown; `--json` shows all. */
const told = 20;

/** An error as lines for people: `millrace: NotFound: …`. */
export function errorLines(error: unknown, debug = false): string[] {
  const { code, message } = codeAndMessage(error);
  const lines =
    error instanceof ConfigError
      ? error.problems.map((problem) => `millrace: ${code}: ${problem.message}`)
      : [...failureLines(error), `millrace: ${code}: ${message}`];
  return [...lines.map(printable), ...(debug ? stackOf(error) : [])];
}

/** An error as records: one for each failure, then the error itself. */
export function errorRecords(error: unknown, debug = false): object[] {
  const { code, message } = codeAndMessage(error);
  const failures = error instanceof PartlyFailed ? error.failures : [];
  const problems = error instanceof ConfigError ? { problems: error.problems } : {};
  return [
    ...failures.map((failure) => ({ type: 'failure', uri: failure.uri, ...codeAndMessage(failure.error) })),
    {
      type: 'error',
      code,
      message,
      exitCode: exitCodeOf(error),
      ...problems,
      ...(debug ? { stack: stackOf(error).join('\n') } : {}),
    },
  ];
}

/** A skipped entry, as a line for people. */
export function skippedLine({ uri, error }: Failure): string {
  const { code, message } = codeAndMessage(error);
  return printable(`millrace: warning: skipped ${uri}: ${code}: ${message}`);
}

export function skippedRecord({ uri, error }: Failure): object {
  return { type: 'skipped', uri, ...codeAndMessage(error) };
}

function failureLines(error: unknown): string[] {
  if (!(error instanceof PartlyFailed)) return [];
  const lines = error.failures.slice(0, told).map((failure) => {
    const { code, message } = codeAndMessage(failure.error);
    return `millrace: ${failure.uri}: ${code}: ${message}`;
  });
  const left = error.failures.length - lines.length;
  return left === 0 ? lines : [...lines, `millrace: … and ${left} more; --json shows all.`];
}

function codeAndMessage(error: unknown): { readonly code: string; readonly message: string } {
  if (error instanceof CommanderError) {
    // "error: unknown option '--x=y'": the value may be a secret.
    const message = oneLine(error.message)
      .replace(/^error: /, '')
      .replace(/(option '[^'=]*)=[^']*'/, "$1'");
    const hint = 'See millrace --help.';
    return {
      code: 'Usage',
      message: `${message.charAt(0).toUpperCase()}${message.slice(1).replace(/\.?$/, '.')} ${hint}`,
    };
  }
  if (error instanceof PartlyFailed) {
    const done = error.failures.length;
    const message =
      error.code === 'ListFailed'
        ? `${done} could not be listed; all else was.`
        : `${done} failed; all else is done. Run it again for what is left.`;
    return { code: error.code, message };
  }
  if (error instanceof MillraceError) return { code: error.code, message: oneLine(error.message) };
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'Unexpected', message: `${oneLine(message)} (--debug shows where)` };
}

function oneLine(text: string): string {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .join(' ');
}

function stackOf(error: unknown): string[] {
  const lines: string[] = [];
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth += 1) {
    const stack = (at.stack ?? `${at.name}: ${at.message}`).split('\n');
    lines.push(...stack.map((line, i) => (i === 0 && depth > 0 ? `caused by ${line}` : line)));
  }
  return lines;
}
