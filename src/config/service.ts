import { Service, type Attempt } from '../flow/index.js';
import type { Config } from './config.js';
import { loadConfig } from './load/index.js';

let defaults: Config | undefined;

/** The default configuration, without environment and file. */
export function defaultConfig(): Config {
  return (defaults ??= loadConfig({ env: {}, file: false }));
}

/** The configuration for operators, sources and sinks. Default: {@link defaultConfig}. */
export const config = new Service<Config>('millrace.config', defaultConfig);

/** The configuration of an attempt. */
export const configOf = (attempt: Attempt): Config => attempt.use(config);
