/** The laws of flows, as checks of one operator. */
export * from './inputs.js';
export * from './laws.js';
export * from './mergeLaws.js';
export { mergeInputs, type MergeInput, type MergeRecord } from './mergeInputs.js';
export type { LawOptions, Services, StuckOptions } from './run.js';
