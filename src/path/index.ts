/** Where objects are: URIs and globs. Imports nothing of ours but the error class. */
export * from './uri.js';
export * from './glob.js';
