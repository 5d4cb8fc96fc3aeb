/**
 * `millrace/fs`: `node:fs/promises` over `s3://`, `s3a://`, `s3x://`, `file://` and `memory://` URIs and local paths. A program
 * uses objects by changing one import: names, arguments, results and error codes are Node's.
 *
 * ```ts
 * import { readFile, writeFile } from 'millrace/fs';
 *
 * await writeFile('s3://lake/notes.txt', 'hello');
 * console.log(await readFile('s3://lake/notes.txt', 'utf8'));
 * ```
 *
 * Differences between objects and files are documented, not hidden. An object is written from start to end, and published as a
 * whole when the write ends (a handle: when it is closed; a stream: when it has finished). A directory exists as long as it
 * has content or a marker. Unsupported functions fail with `ENOTSUP`. `docs/fs.md` has the full list.
 *
 * The functions of the module share one client, configured by `loadConfig()` on first use. `createFs` makes others.
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
