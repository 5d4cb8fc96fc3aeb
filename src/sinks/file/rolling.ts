import type { OpenFile } from './openFile.js';

/**
 * Rolls files by age and inactivity. There is one deadline for the whole sink instead of a timer per file. `files` is
 * in the order in which they were opened.
 */
export class RollPolicy {
  #checked = 0;

  constructor(
    private readonly age: number,
    private readonly inactivity: number,
  ) {}

  /** When to call {@link due}, if any file is open. */
  deadline(files: Iterable<OpenFile>): number | undefined {
    for (const oldest of files) {
      return Math.min(oldest.created + this.age, Math.max(this.#checked, oldest.created) + this.#interval);
    }
    return undefined;
  }

  /** The files to roll. Inactivity is checked every sixth of its time, so a file may be rolled that much late. */
  due(files: Iterable<OpenFile>, now: number): readonly OpenFile[] {
    const due: OpenFile[] = [];
    const check = now >= this.#checked + this.#interval;
    if (check) this.#checked = now;
    for (const file of files) {
      if (file.touched !== file.seen && check) {
        file.seen = file.touched;
        file.activeAt = now;
      }
      if (now >= file.created + this.age || (check && now >= file.activeAt + this.inactivity)) due.push(file);
      else if (!check) break;
    }
    return due;
  }

  get #interval(): number {
    return Math.max(1, Math.floor(this.inactivity / 6));
  }
}

/** The least recently used sixteenth of the files: several at a time, so that the sort pays off. */
export function leastRecent(files: ReadonlyMap<string, OpenFile>): readonly OpenFile[] {
  const byAge = [...files.values()].sort((a, b) => a.touched - b.touched);
  return byAge.slice(0, Math.ceil(byAge.length / 16));
}
