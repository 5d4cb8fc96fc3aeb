import type { MemoryCharge, MemoryShare, MemoryUse } from '../../flow/index.js';

/** The callbacks of an owner: `waits` if a share does not get its least, and `granted` once it has. */
export interface AccountOptions {
  /** Its name in errors: `job 'clicks'`. */
  readonly owner: string;
  /** Bytes that all accounts of the process may hold together, as this one specifies it. */
  readonly total: number;
  readonly waits: (share: MemoryShare) => void;
  readonly granted: (share: MemoryShare) => void;
  /** Called once if the account has a fixed charge, and all fixed charges together exceed the total. */
  readonly exceeded: (fixed: number, total: number) => void;
}

/** The shares and fixed charges of one owner. Calls `divide` after each change. */
export class Account {
  started = false;
  readonly #charges = new Map<object, number>();
  #warned = false;

  constructor(
    readonly options: AccountOptions,
    private readonly holders: Set<Holder>,
    readonly divide: () => void,
  ) {}

  share(use: MemoryUse): MemoryShare {
    const holder = new Holder(use, this, () => {
      if (this.holders.delete(holder)) this.divide();
    });
    this.holders.add(holder);
    this.divide();
    holder.arrived();
    return holder;
  }

  get fixed(): number {
    return sum(this.#charges.values(), (bytes) => bytes);
  }

  charge(): MemoryCharge {
    const key = {};
    let left = false;
    const set = (bytes: number): void => {
      if (left || (this.#charges.get(key) ?? 0) === bytes) return;
      if (bytes === 0) this.#charges.delete(key);
      else this.#charges.set(key, bytes);
      this.divide();
    };
    return {
      set,
      leave: () => {
        set(0);
        left = true;
      },
    };
  }

  warn(fixed: number, total: number): void {
    if (this.#warned || this.fixed === 0) return;
    this.#warned = true;
    this.options.exceeded(fixed, total);
  }
}

/** One share and its charge. */
export class Holder implements MemoryShare {
  target = 0;
  charged = 0;
  /** The last limit that it was notified of. */
  told = 0;
  waits = false;
  #there = false;

  constructor(
    readonly use: MemoryUse,
    readonly account: Account,
    readonly leave: () => void,
  ) {}

  get limit(): number {
    return this.charged < this.use.least ? 0 : Math.min(this.target, this.charged);
  }

  holds(bytes: number): void {
    const { limit } = this;
    // What is granted so far of a least that it waits for is kept.
    if (bytes > limit || this.charged <= limit || this.charged < this.use.least) return;
    this.charged = limit;
    this.account.divide();
  }

  grow(bytes: number): number {
    this.charged += bytes;
    return bytes;
  }

  /** Called once, after the first division. The holder reads its first limit without a notification. */
  arrived(): void {
    this.#there = true;
    this.told = this.limit;
    if (this.charged >= this.use.least) return;
    this.waits = true;
    this.account.options.waits(this);
  }

  tell(): void {
    if (!this.#there) return;
    this.told = this.limit;
    this.use.changed();
    if (!this.waits || this.told === 0) return;
    this.waits = false;
    this.account.options.granted(this);
  }
}

export function sum<T>(all: Iterable<T>, of: (each: T) => number): number {
  let total = 0;
  for (const each of all) total += of(each);
  return total;
}
