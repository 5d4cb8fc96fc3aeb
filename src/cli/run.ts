/**
 * The command `millrace`: what people do with files, on `s3://`, `file://` and local paths.
 *
 * A run reads its arguments, loads the configuration, does one command's work, and closes what it opened. Results go to
 * standard output and nothing else does; progress, summaries and errors go to standard error. With `--json` both are
 * lines of JSON. What ends a run early (an interrupt, a reader that has gone, an error) unsubscribes from the work, which
 * aborts its requests; then what they leave is cleaned up before the run ends.
 */
import { Command, CommanderError } from 'commander';
import { lastValueFrom } from 'rxjs';
import type { Logger, LoadOptions } from '../config/index.js';
import type { Failure } from '../fs/operations/index.js';
import { commands } from './commands/index.js';
import { parseSets, type GlobalOptions } from './globals.js';
import { exitCodeOf, ReaderGone, Told } from './exit.js';
import { describe } from './help.js';
import type { Io } from './io.js';
import { Output } from './output.js';
import { redactor } from './redact.js';
import { errorLines, errorRecords, skippedLine, skippedRecord } from './render/errors.js';
import { printableJson } from './render/text.js';
import { loadRooms } from './rooms.js';
import type { Session, Start } from './session.js';

/** Runs a command line, without the names of the program. Resolves with the exit code; never rejects. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  const out = new Output(io.stdout, io.interrupt);
  const err = new Output(io.stderr, io.interrupt);
  const clean = redactor(io.env, argv);
  // Before the arguments are understood: their errors are for the same readers.
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
    const { createOperations, loadConfig, openStores } = await loadRooms();
    stop.throwIfAborted();
    const config = loadConfig(configured(options, io, log));
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
      // What an interrupt has left is dropped before the connections are.
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

/** Whether it was told already, or there is nobody to tell, or nothing. */
function isSilent(error: unknown): boolean {
  const helped = error instanceof CommanderError && (error.exitCode === 0 || error.code === 'commander.help');
  return helped || error instanceof Told || error instanceof ReaderGone;
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

/** Warnings are for the user of the command; other messages of stores come with --debug only. */
function loggerTo(tell: (level: string, message: string) => void): Logger {
  const at =
    (level: string) =>
    (_: object, message: string): void =>
      tell(level, message);
  return { debug: at('debug'), info: at('info'), warn: at('warning'), error: at('error') };
}
