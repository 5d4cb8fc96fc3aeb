/** The advice if the limit of open files is too low to start. */
export const tooManyFiles =
  'Too many open files. Raise the limit of this shell (ulimit -n 1024), and run it again.';

export function isTooManyFiles(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'EMFILE' || code === 'ENFILE';
}
