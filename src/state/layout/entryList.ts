import { corrupt } from './entryObject.js';

/**
 * Lists of the entries of an operator's export: text, with a line for each entry in the order of addresses, `<bytes>
 * <name>`. So an import reads entries in the order in which segments have them, and knows what is missing. They are
 * the objects `_entries.1.txt`, `_entries.2.txt` and so on in the operator's folder. No folder of a state has a dot in
 * its name.
 */
export const listName = (n: number): string => `_entries.${n}.txt`;

export interface ListedEntry {
  /** Below the operator's folder. */
  readonly name: string;
  readonly bytes: number;
}

/** The size at which a list ends. Bytes. */
const enough = 1024 * 1024;
/** Bytes of a list at most. */
export const longestList = 64 * enough;

/** Builds lists. */
export class ListBuilder {
  #lines: string[] = [];
  #length = 0;

  get full(): boolean {
    return this.#length >= enough;
  }

  get empty(): boolean {
    return this.#length === 0;
  }

  add({ name, bytes }: ListedEntry): void {
    const line = `${bytes} ${name}\n`;
    this.#lines.push(line);
    this.#length += line.length;
  }

  take(): Buffer {
    const text = this.#lines.join('');
    this.#lines = [];
    this.#length = 0;
    return Buffer.from(text);
  }
}

/** Errors: `EntryCorrupt`. */
export function decodeList(object: string, bytes: Buffer): readonly ListedEntry[] {
  const lines = bytes.toString('latin1').split('\n');
  if (lines.pop() !== '') throw corrupt(object, 'its last line is cut off');
  return lines.map((line, i) => {
    const [, size, name] = /^(\d{1,15}) ([\w=-]+\/\d+\/(?!\.{1,2}$)[\w=.-]+)$/.exec(line) ?? [];
    if (size === undefined || name === undefined)
      throw corrupt(object, `line ${i + 1} is not the size and name of an entry`);
    return { name, bytes: Number(size) };
  });
}
