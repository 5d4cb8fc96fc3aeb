#!/usr/bin/env node
/**
 * The program. Node opens all modules of an import together, so they are imported room by room, and the shell's usual limits of
 * open files suffice; where they do not, that is told in words.
 */
try {
  await import('../config/index.js');
  await import('../store/errors.js');
  await import('../store/local/index.js');
  await import('../store/s3/index.js');
  await import('../fs/operations/index.js');
  await import('./commands/index.js');
  await import('./main.js');
} catch (error) {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'EMFILE' && code !== 'ENFILE') throw error;
  process.stderr.write(
    'millrace: Unavailable: Too many open files. Raise the limit of this shell (ulimit -n 1024), and run it again.\n',
  );
  process.exitCode = 1;
}
