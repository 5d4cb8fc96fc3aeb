#!/usr/bin/env node
/**
 * The program. Node opens all modules of an import together, so they are imported room by room, and the shell's usual limits of
 * open files suffice; where they do not, that is told in words.
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
