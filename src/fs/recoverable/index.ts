/**
 * Files that survive the crash of their writer, without a job: the recoverable writer. A program writes, keeps a string at each
 * of its own checkpoints, and publishes when that checkpoint is durable.
 *
 * States of a file: **open** → **closed** → **committed**, or **abandoned**. Steps, with what a crash after each leaves:
 *
 * 1. `open` makes no request. `write` collects bytes in parts, which are uploaded concurrently; the first creates the upload.
 *    A file has one upload for its life. *Crash:* an upload that no string names, for a lifecycle rule or
 *    `millrace uploads abort`.
 * 2. `persist` waits for the parts that were cut, creates the upload if no part has, and stores the bytes after them: in the
 *    resumable itself if they are few, else in an object of their own, the tail. The **resumable** is {upload, parts 1..k, tail}.
 *    *Crash:* a tail that no string names.
 * 3. The caller stores the resumable in its checkpoint, where it stores its position in the input. *Crash before:* the previous
 *    checkpoint counts. *After:* the input is replayed from here.
 * 4. `closeForCommit` uploads the rest. The **committable** is {upload, parts 1..k}. The caller stores it in a checkpoint.
 *    *Crash before that is durable:* the previous resumable is sealed; the late parts are left out.
 * 5. `commit`, once that checkpoint is durable: Complete, any number of times (`store/multipart/sealed.ts`). In doubt, the object
 *    and the upload are read until the file is ours, foreign or lost. *Crash:* the caller finds the committable, and commits again.
 * 6. `recover` turns a resumable into a committable: parts 1..k, and the tail as part k + 1. **It seals**: data after it goes to
 *    a new file. A server has no means to keep a process that was thought dead from writing to an upload. It would overwrite
 *    parts of a file that was continued; of a sealed one it can only overwrite part k + 1, which is then uploaded again.
 * 7. `cleanup` removes tails that no checkpoint needs; `abandon` aborts the upload, too.
 *
 * The caller fences: only who owns the log of checkpoints may commit what is in it.
 */
import { checkOptions, type OptionNames } from '../../config/checkOptions.js';
import { defaultConfig, loadConfig, type Config } from '../../config/index.js';
import type { Size } from '../../config/units.js';
import { systemClock } from '../../flow/index.js';
import { allowances } from '../../job/memory/index.js';
import { answeringStores } from '../../store/decorators/answering.js';
import { openStores } from '../../store/open.js';
import type { Stores } from '../../store/services.js';
import { FolderWriter, type RecoverableWriter } from './recoverableWriter.js';

export { InvalidRecoverable } from './errors.js';
export type { RecoverableFile } from './recoverableFile.js';
export type {
  CommitOptions,
  CommittedFile,
  OpenFileOptions,
  RecoverableWriter,
} from './recoverableWriter.js';

/** Options of {@link openRecoverableWriter}. */
export interface RecoverableWriterOptions {
  /**
   * The folder of tails: objects of less than a part that resumables refer to. Default: `.millrace-tails` in the folder of the
   * files, whose name readers skip. No file can be in it.
   */
  readonly tails?: string;
  /** Of the first thousand parts of a file; later ones grow, up to 5 TiB in all. Default `s3.spi.write.multipart-part-size`, else 8 MiB. */
  readonly partSize?: Size;
  /** Parts of a file that are uploaded concurrently. Default `s3.upload.max.concurrent.uploads`. */
  readonly inFlight?: number;
  /** Opens the stores. Default: all schemes, configured by `config`; `close` closes them. */
  readonly stores?: Stores;
  /** Default: `loadConfig()`; with `stores`, the default configuration. */
  readonly config?: Config;
}

const names: OptionNames<RecoverableWriterOptions> = {
  tails: true,
  partSize: true,
  inFlight: true,
  stores: true,
  config: true,
};

/**
 * Opens a writer of the files below a folder. Each file appears as a whole, when it is committed, however often the process
 * crashed before.
 *
 * Store the strings that `persist` and `closeForCommit` return where you store your position in the input, in one step. After a
 * crash, commit the committables, `recover` and commit the resumables, and replay the input from that position into new files.
 *
 * Errors: `InvalidUri`, `UnknownScheme`, `InvalidOption`, `InvalidConfig`.
 *
 * @example
 * ```ts
 * await using writer = openRecoverableWriter('memory://lake/orders/');
 * await using file = await writer.open('2026-01-31.ndjson');
 * await file.write('{"id":1}\n');
 * const resumable = await file.persist(); // store it with your position
 * await file.write('{"id":2}\n');
 * await writer.commit(writer.recover(resumable)); // after a crash: the file has one line
 * ```
 */
export function openRecoverableWriter(
  uri: string,
  options: RecoverableWriterOptions = {},
): RecoverableWriter {
  checkOptions('openRecoverableWriter', options, names);
  const config = options.config ?? (options.stores === undefined ? loadConfig() : defaultConfig());
  const opened =
    options.stores === undefined ? openStores({ s3: config.s3, logger: config.logger }) : undefined;
  const stores = answeringStores(options.stores ?? (opened as Stores));
  const { writePartSize, uploadConcurrency, parallel } = config.transfer;
  const { partSize = writePartSize, inFlight = parallel ? uploadConcurrency : 1, tails } = options;
  return new FolderWriter(stores.open(uri), tails === undefined ? undefined : stores.open(tails), {
    clock: systemClock,
    random: Math.random,
    allow: allowances(systemClock, () => config.transfer.memoryBudget),
    partSize,
    inFlight,
    inlineTail: 64 * 1024,
    onClose: () => opened?.close(),
  });
}
