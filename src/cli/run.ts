/**
 * The command `millrace`: file operations on `s3://`, `file://` and local paths.
 *
 * A run parses its arguments, loads the configuration, runs one command, and closes what it opened. Only results are written to
 * standard output; progress, summaries and errors to standard error. With `--json` both are lines of JSON. An interrupt, a
 * reader that exits, or an error unsubscribes from the work, which aborts its requests; the run ends after their clean-up.
 */
import { Command, CommanderError } from 'commander';
import { lastValueFrom } from 'rxjs';
import type { Logger, LoadOptions } from '../config/index.js';
import type { Failure } from '../fs/operations/index.js';
import { commands } from './commands/index.js';
import { parseSets, type GlobalOptions } from './globals.js';
import { exitCodeOf, ReaderGone, Reported } from './exit.js';
import { describe } from './help.js';
import type { Io } from './io.js';
import { Output } from './output.js';
import { redactor } from './redact.js';
import { errorLines, errorRecords, skippedLine, skippedRecord } from './render/errors.js';
import { printableJson } from './render/text.js';
import { loadRooms } from './rooms.js';
import type { Session, Start } from './session.js';

/** Runs a command line, without the program's name. Resolves with the exit code; never rejects. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  const out = new Output(io.stdout, io.interrupt);
  const err = new Output(io.stderr, io.interrupt);
  const clean = redactor(io.env, argv);
  // Errors of parsing the arguments depend on these options, too.
  let shown: Pick<GlobalOptions, 'json' | 'debug'> = {
    json: argv.includes('--json'),
    debug: argv.includes('--debug'),
  };
  const report = (error: unknown): void => {
    if (shown.json === true)
      for (const record of errorRecords(error, shown.debug)) err.line(clean(printableJson(record)));
    else for (const line of errorLines(error, shown.debug)) err.line(clean(line));
  };
  const warn = (skipped: Failure): void =>
    err.line(clean(shown.json === true ? printableJson(skippedRecord(skipped)) : skippedLine(skipped)));
  const stop = AbortSignal.any([io.interrupt, out.gone]);
  const program = new Command('millrace');
  const start: Start = async (work) => {
    const options = program.opts<GlobalOptions>();
    shown = options;
    stop.throwIfAborted();
    const log = loggerTo((level, message) =>
      err.line(
        clean(
          options.json === true ? printableJson({ type: level, message }) : `millrace: ${level}: ${message}`,
        ),
      ),
    );
    const { createOperations, load, openStores } = await loadRooms();
    stop.throwIfAborted();
    const config = load(configured(options, io, log), { set: '--set', file: '--config' });
    const stores = (io.openStores ?? openStores)({
      s3: config.s3,
      ...(options.debug === true ? { logger: log } : {}),
    });
    const operations = createOperations({ stores, config });
    const session: Session = {
      operations,
      stores,
      config,
      out,
      err,
      io,
      json: options.json === true,
      quiet: options.quiet === true,
      stop,
      report,
      warn,
    };
    try {
      await work(session);
      await out.flush();
    } finally {
      // Clean up after an interrupt before closing the connections.
      await lastValueFrom(operations.close(), { defaultValue: undefined });
      stores.close();
    }
  };
  describe(program, {
    writeOut: (text) => out.write(text),
    writeErr: (text) => err.write(clean(text)),
    outputError: () => undefined,
  });
  for (const command of commands) command(program, start);
  try {
    await program.parseAsync(argv, { from: 'user' });
    return 0;
  } catch (error) {
    const code = exitCodeOf(error);
    if (!isSilent(error)) report(error);
    return code;
  }
}

/** Whether the error was already reported, or needs no report. */
function isSilent(error: unknown): boolean {
  const helped = error instanceof CommanderError && (error.exitCode === 0 || error.code === 'commander.help');
  return helped || error instanceof Reported || error instanceof ReaderGone;
}

function configured(options: GlobalOptions, { env, cwd }: Io, logger: Logger): LoadOptions {
  return {
    set: parseSets(options.set ?? []),
    env,
    cwd,
    logger,
    ...(options.config === undefined ? {} : { file: options.config }),
  };
}

/** Warnings are always shown; other messages of stores only with --debug. */
function loggerTo(tell: (level: string, message: string) => void): Logger {
  const at =
    (level: string) =>
    (_: object, message: string): void =>
      tell(level, message);
  return { debug: at('debug'), info: at('info'), warn: at('warning'), error: at('error') };
}
