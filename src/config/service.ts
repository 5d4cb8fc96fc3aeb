import { Service, type Attempt } from '../flow/index.js';
import type { Config } from './config.js';
import { loadConfig } from './load/index.js';

let defaults: Config | undefined;

/** The defaults: no environment, no file. */
export function defaultConfig(): Config {
  return (defaults ??= loadConfig({ env: {}, file: false }));
}

/** The configuration as operators, sources and sinks ask for it. An attempt that provides none has the defaults. */
export const config = new Service<Config>('millrace.config', defaultConfig);

/** The configuration of an attempt. */
export const configOf = (attempt: Attempt): Config => attempt.use(config);
