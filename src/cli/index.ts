#!/usr/bin/env node
/**
 * The program. Node opens all modules of an import concurrently, so folders are imported one by one to stay within the usual
 * limit of open files; if that is exceeded, an error explains it.
 */
import { isTooManyFiles, tooManyFiles } from './tooManyFiles.js';

try {
  await import('../config/schema/index.js');
  await import('./commands/index.js');
  await import('./main.js');
} catch (error) {
  if (!isTooManyFiles(error)) throw error;
  process.stderr.write(`millrace: Unavailable: ${tooManyFiles}\n`);
  process.exitCode = 1;
}
