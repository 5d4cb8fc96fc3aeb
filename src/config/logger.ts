/** What pino, winston and `console` have in common. */
export interface Logger {
  debug(context: object, message: string): void;
  info(context: object, message: string): void;
  warn(context: object, message: string): void;
  error(context: object, message: string): void;
}

const nothing = (): void => undefined;

/** Says nothing. The default. */
export const silent: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };
