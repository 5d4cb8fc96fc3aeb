import {
  ConfigError,
  loadConfig,
  silentLogger,
  type Config,
  type LoadOptions,
} from '../../src/config/index.js';

/** Nothing of this machine: no environment, no file, no standard error. */
export function load(options: LoadOptions = {}): Config {
  return loadConfig({ env: {}, file: false, logger: silentLogger, ...options });
}

/** A configuration of flat keys. */
export const flat = (set: Readonly<Record<string, unknown>>): Config => load({ set });

export function problemsOf(options: LoadOptions): ConfigError {
  try {
    load(options);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('There should be problems.');
}
