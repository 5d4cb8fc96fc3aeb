import type { Grouping, Request } from './kind.js';

interface Group<C> {
  readonly members: Map<string, C>;
  /** The number of those not published yet. */
  left: number;
}

/** Announces each group once all of it is published, and all earlier groups are announced. */
export class Groups<C> {
  readonly #groups = new Map<string, Group<C>>();
  /** The name of the earliest group. */
  #first: string | undefined;
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
    if (group === undefined) {
      this.#groups.set(name, (group = { members: new Map(), left: 0 }));
      this.#first = earlier(this.#first, name);
    }
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
    if (this.#announcing || this.#first === undefined) return;
    const name = this.#first;
    const group = this.#groups.get(name);
    if (group === undefined || group.left > 0) return;
    this.#announcing = true;
    this.request(this.grouping.announce(name, [...group.members.values()]), () => {
      this.#announcing = false;
      this.#groups.delete(name);
      this.#first = [...this.#groups.keys()].reduce(earlier, undefined);
      this.#held -= group.members.size;
      this.confirm(group.members.keys());
      this.#pump();
    });
  }
}

function earlier(name: string | undefined, other: string): string {
  return name === undefined || other < name ? other : name;
}
