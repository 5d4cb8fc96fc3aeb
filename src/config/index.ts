/** The configuration: its keys, its sources, and the service that provides it to an attempt. */
export type { Config } from './config.js';
export { ConfigError } from './errors.js';
export { load, loadConfig, type LoadOptions } from './load/index.js';
export { silentLogger, type Logger } from './logger.js';
export type { TransferOptions } from './options.js';
export { config, defaultConfig } from './service.js';
