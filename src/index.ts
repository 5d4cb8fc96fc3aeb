export { MillraceError } from './errors.js';
export * from './flow/index.js';
export { records } from './operators/records.js';
export { mergeFlows } from './operators/mergeFlows.js';
export { values } from './operators/values.js';
