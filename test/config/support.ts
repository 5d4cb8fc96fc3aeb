import { ConfigError, loadConfig, type Config, type LoadOptions } from '../../src/config/index.js';

/** Nothing of this machine: no environment, no file. */
export function load(options: LoadOptions = {}): Config {
  return loadConfig({ env: {}, file: false, ...options });
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
