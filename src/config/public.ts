/** The part of this room that users see. */
export type {
  Checkpoints,
  Config,
  DelegationTokens,
  Origin,
  Restarts,
  Stalls,
  State,
  Transfer,
} from './config.js';
export { ConfigError, type ConfigProblem } from './errors.js';
export { loadConfig, type LoadOptions } from './load/index.js';
export { silentLogger, type Logger } from './logger.js';
export type * from './options.js';
export type * from './s3Options.js';
export { configOf } from './service.js';
export { InvalidOption, type Duration, type Size } from './units.js';
