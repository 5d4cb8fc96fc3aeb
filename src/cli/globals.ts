import { InvalidArgumentError, Option, type Command } from 'commander';
import { UsageError } from './exit.js';

/** The options of every command. */
export interface GlobalOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly debug?: boolean;
  readonly set?: readonly string[];
  readonly config?: string;
}

export function addGlobalOptions(program: Command): void {
  program
    .option('--json', 'lines of JSON instead of text: results, progress and errors')
    .option('-q, --quiet', 'no progress and no summary')
    .addOption(
      new Option(
        '--set <key=value>',
        'a configuration key, over environment and file; may be repeated',
      ).argParser((value, before: readonly string[] | undefined) => [...(before ?? []), value]),
    )
    .option('--config <file>', 'the configuration file; default: $MILLRACE_CONFIG, else millrace.yaml')
    .option('--debug', 'stack traces, and what the stores log');
}

/** Parses `key=value`. Errors: `Usage`. */
export function parseSets(sets: readonly string[]): Record<string, string> {
  const values: [string, string][] = sets.map((text) => {
    const at = text.indexOf('=');
    // An invalid key is not repeated: it may be a secret.
    if (!/^[a-z][\w-]*(\.[^=]+)+=/i.test(text))
      throw new UsageError(
        '--set takes key=value with a configuration key, such as --set s3.region=eu-central-1. millrace config --all shows the keys.',
      );
    return [text.slice(0, at), text.slice(at + 1)];
  });
  const keys = values.map(([key]) => key);
  const twice = keys.find((key, i) => keys.indexOf(key) !== i);
  if (twice !== undefined) throw new UsageError(`--set ${twice} is given twice. Give it once.`);
  return Object.fromEntries(values);
}

/** Parses the whole number of an option. */
export function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}
