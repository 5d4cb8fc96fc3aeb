import type { FileEncoder } from '../../formats/writer.js';
import { deferredInFlow, isDeferred } from '../../flow/deferred.js';
import { monotonic, type Clock } from '../../flow/index.js';
import type { BufferPool } from '../../store/multipart/index.js';
import { maxRanges } from '../twoPhase/journal.js';
import type { FileNames } from './fileNames.js';
import { FrozenFiles } from './frozenFiles.js';
import type { SinkSettings } from './options.js';
import { leastRecent, RollPolicy } from './rolling.js';
import { OpenFile, type PartCut } from './openFile.js';
import { Remainder } from './remainder.js';

/** A file's text is encoded once it has this many characters. */
const block = 16 * 1024;

/**
 * The files that a sink has open, one for each partition, from their first record until they are rolled: by size, age,
 * inactivity, checkpoints, number, or the user's predicate. Files with text, and files whose encoders have something to
 * persist, are listed, so that neither a record nor a barrier visits all files.
 */
export class OpenFiles<A> {
  /** The files as a barrier freezes them. */
  readonly frozen: FrozenFiles;
  readonly #policy: RollPolicy;
  readonly #block: number;
  readonly #textBudget: number;

  /** By partition, in the order in which they were opened. */
  readonly #files = new Map<string, OpenFile>();
  #last: OpenFile | undefined;
  #records = 0;
  /** The number of barriers so far. */
  #barriers = 0;
  /** Files with text; a file may be listed after its text is gone. */
  #texts: OpenFile[] = [];
  #textLength = 0;
  /** Files that have reached their size. They are rolled between records, when their encoders are idle. */
  #full: OpenFile[] = [];
  /** Bytes were added to memory since the last check. */
  #grown = false;
  /** Files whose encoders have something to persist. */
  #dirty: OpenFile[] = [];
  #held = 0;
  readonly #persists: boolean;

  constructor(
    private readonly settings: Pick<
      SinkSettings<A>,
      | 'format'
      | 'objectOf'
      | 'partSize'
      | 'rollSize'
      | 'age'
      | 'inactivity'
      | 'rollWhen'
      | 'maxOpenFiles'
      | 'budget'
    >,
    private readonly names: FileNames,
    private readonly clock: Clock,
    private readonly pool: BufferPool,
    private readonly cut: (part: PartCut) => void,
    /** A file was opened: there is a deadline. */
    private readonly opened: () => void,
  ) {
    const { age, inactivity, rollSize, partSize, budget } = settings;
    this.#policy = new RollPolicy(age, inactivity);
    const { restore } = settings.format;
    this.frozen = new FrozenFiles(typeof restore === 'string' ? undefined : restore.name);
    this.#persists = restore !== 'anywhere' && restore !== 'whole';
    this.#block = Math.min(block, rollSize, partSize);
    this.#textBudget = Math.min(4 * 2 ** 20, budget / 32);
  }

  /** Characters that are not encoded yet. */
  get textLength(): number {
    return this.#textLength;
  }

  /** Whether journals also hold the rows that encoders hold. */
  get journalsRows(): boolean {
    return typeof this.settings.format.restore !== 'string';
  }

  /** Bytes that encoders hold. */
  get held(): number {
    return this.#held;
  }

  /** When the next file may be due, if any is open. */
  get deadline(): number | undefined {
    return this.#policy.deadline(this.#files.values());
  }

  /** The file of a partition that a record goes to. It is opened if necessary, or if the user's predicate finishes the open one. */
  of(partition: string, record: A): OpenFile {
    const file = this.#of(partition);
    return this.settings.rollWhen === undefined ? file : this.#unlessRolled(file, record);
  }

  #of(partition: string): OpenFile {
    const last = this.#last;
    if (last !== undefined && last.partition === partition) return last;
    return (this.#last = this.#files.get(partition) ?? this.#open(partition));
  }

  #unlessRolled(file: OpenFile, record: A): OpenFile {
    const { partition, records, openedAt, lastWriteAt } = file;
    const now = this.clock.now();
    if (records === 0) file.openedAt = now;
    else {
      const bytes = file.size + file.text.length + file.held;
      const candidate = { partition, bytes, records, openedAt, lastWriteAt, now };
      const rolls: unknown = this.settings.rollWhen?.(candidate, record);
      if (isDeferred(rolls)) throw deferredInFlow('roll.when of fileSink returned', rolls);
      if (rolls === true) {
        this.#roll(file);
        this.#grown = true;
        file = this.#of(partition);
        file.openedAt = now;
      }
    }
    file.lastWriteAt = now;
    return file;
  }

  /** Writes one record. Returns whether memory has grown, so that the caller must check the budget. */
  write(file: OpenFile, record: A): boolean {
    const encoder = file.encoder as FileEncoder<A>;
    // Before the write, because an encoder may write out its rows and then reject the record.
    this.#soil(file);
    encoder.write(record);
    file.records++;
    file.touched = ++this.#records;
    if (encoder.held !== file.held) this.#hold(file, encoder.held);
    if (!this.#grown) return false;
    this.#grown = false;
    this.#rollFull();
    return true;
  }

  /** Discards a file whose only record could not be encoded. The file may have a header. */
  discardEmpty(file: OpenFile): void {
    if (file.records > 0) return;
    this.#forget(file);
    file.discard();
  }

  /** At the next barrier, the encoder is asked what it holds. */
  #soil(file: OpenFile): void {
    if (!this.#persists || file.dirty) return;
    file.dirty = true;
    this.#dirty.push(file);
  }

  #hold(file: OpenFile, held: number): void {
    this.#held += held - file.held;
    file.held = held;
    this.#grown = true;
  }

  #collect(file: OpenFile, text: string): void {
    file.text += text;
    if (!file.listed) {
      file.listed = true;
      this.#texts.push(file);
    }
    this.#textLength += text.length;
    if (file.text.length >= this.#block) this.#flush(file);
    else if (this.#textLength >= this.#textBudget) this.#flushTexts();
  }

  /** Makes encoders persist their rows, for a barrier. */
  persist(): void {
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const file of dirty) {
      file.dirty = false;
      if (this.#files.get(file.partition) !== file) continue;
      const remainder = (file.remainder ??= new Remainder());
      const persisted = file.encoder.persist?.(remainder.rowRanges >= maxRanges - 1);
      if (persisted !== undefined) remainder.persisted(persisted);
      this.#hold(file, file.encoder.held);
      this.frozen.changed(file, 0);
    }
    this.flushAll();
  }

  flushAll(): void {
    this.#flushTexts();
    this.#rollFull();
  }

  /**
   * Flushes the encoders that hold the most, until all together hold at most `most` bytes. Files whose encoders cannot are
   * rolled.
   */
  flushHolding(most: number): void {
    const holding = [...this.#files.values()].filter(({ held }) => held > 0).sort((a, b) => b.held - a.held);
    for (const file of holding) {
      if (this.#held <= most) break;
      // The rows of the last checkpoint are in the output now, so the next one must not have them again.
      this.#soil(file);
      file.encoder.flush?.();
      this.#hold(file, file.encoder.held);
      if (file.held > 0) this.#roll(file);
    }
  }

  /** Rolls the files with the longest tails: at least `bytes` of them, if there are as many. */
  rollLongest(bytes: number): void {
    const longest = [...this.#files.values()].sort((a, b) => b.tail.length - a.tail.length);
    for (let left = bytes; left > 0;) {
      const file = longest.shift();
      if (file === undefined) return;
      left -= file.tail.length;
      this.#roll(file);
    }
  }

  #flushTexts(): void {
    const texts = this.#texts;
    this.#texts = [];
    for (const file of texts) {
      file.listed = false;
      this.#flush(file);
    }
  }

  rollAll(): void {
    for (const file of this.#files.values()) this.#roll(file);
  }

  /** A barrier: rolls the files that were open at `checkpoints` of them, this one included. */
  rollAtBarrier(checkpoints: number): void {
    const barrier = this.#barriers++;
    for (const file of this.#files.values()) {
      if (barrier - file.barriers + 1 < checkpoints) break;
      this.#roll(file);
    }
  }

  rollDue(): void {
    for (const file of this.#policy.due(this.#files.values(), monotonic(this.clock))) this.#roll(file);
  }

  /** Rolls files whose tails are in too many journals. Returns the bytes that a journal would hold. */
  prepare(): number {
    for (const file of this.frozen.scattered) this.#roll(file);
    return this.frozen.prepare();
  }

  /** Frees at least `bytes` of memory that journals hold as well, or all of it. Returns whether more may be left. */
  drop(bytes: number): boolean {
    let freed = 0;
    for (const file of this.#files.values()) {
      if (freed >= bytes) return true;
      freed += file.drop();
    }
    return false;
  }

  #open(partition: string): OpenFile {
    const { maxOpenFiles, partSize, objectOf } = this.settings;
    const { uid, key } = this.names.next(partition);
    if (this.#files.size >= maxOpenFiles) for (const file of leastRecent(this.#files)) this.#roll(file);
    const object = objectOf(partition);
    const file = new OpenFile(uid, key, partition, object, monotonic(this.clock), partSize, this.pool);
    file.encoder = this.settings.format.open({
      write: (chunk) => {
        if (typeof chunk === 'string') this.#collect(file, chunk);
        else this.#append(file, () => file.write(chunk, this.cut));
      },
    });
    file.barriers = this.#barriers;
    this.#files.set(partition, file);
    this.opened();
    return file;
  }

  #flush(file: OpenFile): void {
    if (file.text === '') return;
    this.#append(file, () => {
      file.flush(this.cut);
    });
  }

  /** Appends bytes, after encoding the text that the file has collected. */
  #append(file: OpenFile, append: () => void): void {
    this.#textLength -= file.text.length;
    const before = file.tail.fresh;
    append();
    this.frozen.changed(file, file.tail.fresh - before);
    this.#grown = true;
    if (file.size >= this.settings.rollSize) this.#full.push(file);
  }

  #rollFull(): void {
    for (const file of this.#full.splice(0)) this.#roll(file);
  }

  #roll(file: OpenFile): void {
    if (this.#files.get(file.partition) !== file) return;
    file.encoder.finish();
    this.#forget(file);
    file.roll(this.cut);
    if (file.size > 0) this.frozen.rolled(file);
  }

  /** The file is no longer open. */
  #forget(file: OpenFile): void {
    this.#hold(file, 0);
    file.remainder = undefined;
    this.#files.delete(file.partition);
    if (this.#last === file) this.#last = undefined;
    this.#textLength -= file.text.length;
    this.frozen.forget(file);
  }
}
