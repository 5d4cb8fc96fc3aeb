import { Console } from 'node:console';
import { MillraceError } from '../errors.js';

/** What pino, winston and `console` have in common. */
export interface Logger {
  debug(context: object, message: string): void;
  info(context: object, message: string): void;
  warn(context: object, message: string): void;
  error(context: object, message: string): void;
}

const nothing = (): void => undefined;

/** Logs nothing: for programs that take all they need from `job.events$` and from errors. */
export const silentLogger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };

/** Writes warnings and errors to standard error, one line each. The default where a job or a configuration has no logger. */
export const standardErrorLogger: Logger = {
  debug: nothing,
  info: nothing,
  warn: (context, message) => write('warn', context, message),
  error: (context, message) => write('error', context, message),
};

const own: ReadonlySet<Logger> = new Set([silentLogger, standardErrorLogger]);

/** A logger that does not throw: a log that is full or closed must not stop what it tells of. That it threw is written to standard error. */
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

/** The code, and the message of our own errors, which hold no secrets; what a user's callback threw may hold anything. */
export function errorFields(error: unknown): object {
  return error instanceof MillraceError
    ? { code: error.code, error: error.message }
    : { code: 'UNKNOWN', ...(error instanceof Error ? { name: error.name } : {}) };
}

let standardError: Console | undefined;

/** Uses a `Console`, which tolerates that standard error has been closed. */
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

/** Control characters could forge lines, or command a terminal. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ');
}
