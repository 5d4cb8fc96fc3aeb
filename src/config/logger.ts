import { Console } from 'node:console';
import { MillraceError } from '../errors.js';

/** The common interface of pino, winston and `console`. */
export interface Logger {
  debug(context: object, message: string): void;
  info(context: object, message: string): void;
  warn(context: object, message: string): void;
  error(context: object, message: string): void;
}

const nothing = (): void => undefined;

/** Logs nothing: for programs that use `job.events$` and errors instead. */
export const silentLogger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };

/** Writes warnings and errors to standard error, one line each. The default logger. */
export const standardErrorLogger: Logger = {
  debug: nothing,
  info: nothing,
  warn: (context, message) => write('warn', context, message),
  error: (context, message) => write('error', context, message),
};

const own: ReadonlySet<Logger> = new Set([silentLogger, standardErrorLogger]);

/** Wraps a logger so that its errors, such as of a full disk, do not fail the caller; they are written to standard error. */
export function tolerant(logger: Logger): Logger {
  if (own.has(logger)) return logger;
  const at =
    (level: keyof Logger) =>
    (context: object, message: string): void => {
      try {
        logger[level](context, message);
      } catch (error) {
        const name = error instanceof Error ? error.name : typeof error;
        standardErrorLogger.error({ level, name, message }, 'The logger threw');
      }
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** The code, and the message of our own errors, which contain no secrets; errors of users' callbacks may. */
export function errorFields(error: unknown): object {
  return error instanceof MillraceError
    ? { code: error.code, error: error.message }
    : { code: 'UNKNOWN', ...(error instanceof Error ? { name: error.name } : {}) };
}

let standardError: Console | undefined;

/** Uses a `Console`, which tolerates a closed standard error. */
function write(level: 'warn' | 'error', context: object, message: string): void {
  const fields = Object.entries(context).flatMap(([name, value]: [string, unknown]) =>
    value === undefined || value === message ? [] : [`${name}=${shown(value)}`],
  );
  standardError ??= new Console(process.stderr);
  standardError.log([`millrace: ${level}: ${oneLine(message)}`, ...fields].join(' '));
}

function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) as string | undefined);
  return typeof value === 'string' && !/^[^\s"=]+$/.test(value)
    ? oneLine(JSON.stringify(value))
    : oneLine(text ?? '');
}

/** Replaces control characters, which could forge lines or control a terminal. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ');
}
