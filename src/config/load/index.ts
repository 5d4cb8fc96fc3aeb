/**
 * Loads the configuration. Code takes precedence over the environment, then a file, then the defaults.
 *
 * 1. Read each source: `set` (flat keys), options in code (nested), the environment, the YAML file. Every value is validated by
 *    the schema; problems are collected.
 * 2. Select the value of each key by precedence, and one group of keys with the same meaning (`families.ts`).
 * 3. Build the nested options, and check dependencies between keys (`build.ts`).
 * 4. Throw all problems together.
 */
import type { Config } from '../config.js';
import { ConfigError } from '../errors.js';
import type { ConfigOptions } from '../options.js';
import { build } from './build.js';
import { readCode } from './code.js';
import { readEnvironment } from './environment.js';
import { defaultFile, readFile } from './file.js';
import { Settings } from './settings.js';

export interface LoadOptions extends ConfigOptions {
  /** Values by flat key, such as a command line's `--set key=value`. They take precedence over all others. */
  readonly set?: Readonly<Record<string, unknown>>;
  /** Default `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** A YAML file. Default: the one that `MILLRACE_CONFIG` names, else `millrace.yaml` in `cwd`, if there is one. `false`: none. */
  readonly file?: string | false;
  /** Default: the process's. */
  readonly cwd?: string;
}

/**
 * Loads the configuration of this process.
 *
 * @example
 * ```ts
 * const config = loadConfig({ set: { 's3.connection.max': '20' }, transfer: { partSize: '16MiB' } });
 * config.s3.maxSockets; // 20
 * config.origin('s3.region'); // { from: 'environment', where: 'environment variable S3_REGION' }
 * ```
 *
 * Errors: `InvalidConfig`, with all problems.
 */
export function loadConfig(options: LoadOptions = {}): Config {
  return load(options, { set: 'option set', file: 'option file' });
}

/** `names`: how messages name the options `set` and `file`. */
export function load(options: LoadOptions, names: Record<'set' | 'file', string>): Config {
  const { set = {}, env = process.env, cwd = process.cwd(), file, logger, ...code } = options;
  const settings = new Settings();
  for (const [key, value] of Object.entries(set)) {
    if (value !== undefined) settings.add(key, value, { from: 'set', where: names.set });
  }
  readCode(settings, { ...code });
  readEnvironment(settings, env);
  if (file !== false) {
    const named = env['MILLRACE_CONFIG'] === '' ? undefined : env['MILLRACE_CONFIG'];
    if (file !== undefined) readFile(settings, cwd, file, names.file);
    else readFile(settings, cwd, named, named === undefined ? defaultFile : 'MILLRACE_CONFIG');
  }
  const config = build(settings, logger);
  if (settings.problems.length > 0) throw new ConfigError(settings.problems);
  for (const warning of config.warnings) config.logger.warn({ warning }, warning);
  return config;
}
