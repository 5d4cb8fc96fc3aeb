import type { Grouping, Request } from './kind.js';

interface Group<C> {
  readonly members: Map<string, C>;
  /** The number of those not published yet. */
  left: number;
}

/** Announces each group once all of it is published, and all earlier groups are announced. */
export class Groups<C> {
  readonly #groups = new Map<string, Group<C>>();
  /** The number of those that are published, and wait for others. */
  #held = 0;
  #announcing = false;

  constructor(
    private readonly grouping: Grouping<C>,
    private readonly request: Request,
    /** The group of these is announced. */
    private readonly confirm: (uids: Iterable<string>) => void,
  ) {}

  /** Whether some are published, and wait for others to be. */
  get waits(): boolean {
    return this.#held > 0 && !this.#announcing;
  }

  /** It is pending. */
  add(uid: string, committable: C): void {
    const name = this.grouping.of(committable);
    let group = this.#groups.get(name);
    if (group === undefined) this.#groups.set(name, (group = { members: new Map(), left: 0 }));
    group.members.set(uid, committable);
    group.left++;
  }

  published(uid: string, committable: C): void {
    const group = this.#groups.get(this.grouping.of(committable));
    if (group === undefined) return;
    group.members.set(uid, committable);
    group.left--;
    this.#held++;
    this.#pump();
  }

  #pump(): void {
    if (this.#announcing) return;
    let first: string | undefined;
    for (const name of this.#groups.keys()) if (first === undefined || name < first) first = name;
    const group = first === undefined ? undefined : this.#groups.get(first);
    if (first === undefined || group === undefined || group.left > 0) return;
    const name = first;
    this.#announcing = true;
    this.request(this.grouping.announce(name, [...group.members.values()]), () => {
      this.#announcing = false;
      this.#groups.delete(name);
      this.#held -= group.members.size;
      this.confirm(group.members.keys());
      this.#pump();
    });
  }
}
