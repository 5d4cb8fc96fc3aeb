/**
 * millrace/testing: what we test operators and stores with, for those who write their own.
 */
export * from './marbleFile.js';
export * from './runMarbles.js';
export * from './testAttempt.js';
export * from './laws.js';
export * from './simulatedClock.js';
export * from './storeConformance.js';
export * from './mergeLaws.js';
