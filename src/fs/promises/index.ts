/**
 * `millrace/fs`: `node:fs/promises` over `s3://`, `s3a://`, `s3x://`, `file://` and `memory://` URIs and local paths, so that a
 * program reaches objects by changing one import. Names, arguments, results and error codes are Node's.
 *
 * ```ts
 * import { readFile, writeFile } from 'millrace/fs';
 *
 * await writeFile('s3://lake/notes.txt', 'hello');
 * console.log(await readFile('s3://lake/notes.txt', 'utf8'));
 * ```
 *
 * Objects are not files, and where that shows it is documented rather than hidden: they are written as a whole, from start to end,
 * and are there when the write has ended (a handle: when it is closed; a stream: when it has finished), all of it or none;
 * a directory is there as long as something is in it, or its marker; what objects cannot do is `ENOTSUP`. The page
 * `docs/fs.md` has the whole list.
 *
 * The functions of the module share one client, opened when it is first needed as `loadConfig()` says. `createFs` makes others.
 */
import { createFs, type Fs } from './createFs.js';

export { createFs, type Fs, type ObjectStats, type StatFunction } from './createFs.js';
export type { FsOptions } from './client.js';
export type { CpOptions } from './cp.js';
export type { Data, EncodingOptions } from './data.js';
export { Dir } from './dir.js';
export { FsError, type Call, type ErrnoCode } from './errors.js';
export { FileHandle, type HandleReadOptions, type ReadArguments } from './fileHandle.js';
export type { ReadFileOptions, WriteFileOptions } from './files.js';
export { ReadStream, type ReadStreamOptions, type StreamSource } from './readStream.js';
export { Dirent, Stats } from './stats.js';
export type { ReaddirOptions, RmOptions } from './tree.js';
export { WriteStream, type StreamTarget, type WriteStreamOptions } from './writeStream.js';

const fs: Fs = createFs();

export default fs;
export const {
  constants,
  access,
  appendFile,
  copyFile,
  cp,
  createReadStream,
  createWriteStream,
  lstat,
  mkdir,
  mkdtemp,
  open,
  opendir,
  readFile,
  readdir,
  realpath,
  rename,
  rm,
  rmdir,
  stat,
  unlink,
  writeFile,
  close,
} = fs;
